using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>What must be equal for a state of one run to be another's, and for members to train one model together: SHA-256 in hexadecimal of each.</summary>
/// <param name="Recipe">Of <see cref="RecipeIdentity"/>.</param>
/// <param name="Data">The data set's digest.</param>
/// <param name="Model">Of every tensor's name, shape and type, and of numbers at its begin, middle and end: enough to tell any two models apart that somebody takes for one another.</param>
public sealed record TuningIdentity(string Recipe, string Data, string Model)
{
    private const int Looked = 32;

    internal static TuningIdentity Of(TuningRecipe recipe, string data, Checkpoint model) => new(RecipeIdentity.Of(recipe), data, OfModel(model));

    private static string OfModel(Checkpoint model)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var planned in TensorPlan.For(model.Config).Where(planned => model.Contains(planned.Name)))
        {
            var values = model.Take(planned.Name, [.. planned.Shape]).flatten();
            digest.AppendData(Encoding.UTF8.GetBytes($"{planned.Name} {string.Join(',', planned.Shape)} {values.dtype}\n"));
            var count = Math.Min(Looked, values.numel());
            foreach (var first in (long[])[0, (values.numel() - count) / 2, values.numel() - count])
            {
                digest.AppendData(values.narrow(0, first, count).to(ScalarType.Float64).bytes);
            }
        }

        return Convert.ToHexStringLower(digest.GetHashAndReset());
    }
}

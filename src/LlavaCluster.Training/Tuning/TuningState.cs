using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Optimisation;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>All that a run is at a step beyond its recipe, model and data, as safetensors: the parameters it trains, the optimiser's moments, the step; and whose state it is.</summary>
internal sealed class TuningState(TrainableParameters parameters, FusedAdamW optimiser, TuningRecipe recipe, string data)
{
    private const string Name = "training state";
    private const string Optimiser = "optimiser.";
    private const string StepKey = "step", RecipeKey = "recipe", DataKey = "data";

    private readonly string _recipe = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(recipe.ToJson())));

    public void Save(Stream stream, long step)
    {
        var tensors = Tensors();
        SafetensorsWriter.Write(stream, tensors, new Dictionary<string, string> { [StepKey] = step.ToString(CultureInfo.InvariantCulture), [RecipeKey] = _recipe, [DataKey] = data });
        Release(tensors);
    }

    /// <summary>Fills parameters and moments; returns the step.</summary>
    public long Restore(Stream stream)
    {
        var tensors = Tensors();
        var step = -1L;
        SafetensorsStream.Fill(stream, Name, tensors.ToDictionary(StringComparer.Ordinal), metadata =>
        {
            Require(metadata, RecipeKey, _recipe, "another recipe");
            Require(metadata, DataKey, data, "other data");
            step = long.TryParse(metadata.GetValueOrDefault(StepKey), CultureInfo.InvariantCulture, out var at) && at >= 0
                ? at
                : throw new CheckpointException(Name, "does not say its step.");
        });
        Release(tensors);
        return step;
    }

    private static void Require(IReadOnlyDictionary<string, string> metadata, string key, string expected, string other)
    {
        if (metadata.GetValueOrDefault(key) != expected)
        {
            throw new CheckpointException(Name, $"is of a run with {other}: its {key} is {metadata.GetValueOrDefault(key) ?? "not said"}, this run's is {expected}.");
        }
    }

    private List<KeyValuePair<string, Tensor>> Tensors() =>
        [.. parameters.Names.Select(name => KeyValuePair.Create(name, parameters.ValueOf(name))), .. optimiser.Moments.Select(moment => KeyValuePair.Create(Optimiser + moment.Key, moment.Value))];

    // The moments are the optimiser's own.
    private static void Release(List<KeyValuePair<string, Tensor>> tensors)
    {
        foreach (var (name, tensor) in tensors)
        {
            if (!name.StartsWith(Optimiser, StringComparison.Ordinal))
            {
                tensor.Dispose();
            }
        }
    }
}

using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>Adapters of random factors, as large in effect as a trained one may be: for measurements and tests.</summary>
public static class RandomAdapter
{
    /// <param name="rank">Of every module.</param>
    /// <param name="seed">The same seed gives the same adapter.</param>
    /// <param name="modules">Which projections it changes, by name; null takes those of the language model's layers.</param>
    public static LoraWeights Of(LlavaConfig config, int rank, int seed, Func<string, bool>? modules = null)
    {
        var random = new Random(seed);
        modules ??= static name => name.StartsWith("language_model.layers.", StringComparison.Ordinal);
        var factors = new Dictionary<string, LoraFactors>(StringComparer.Ordinal);
        foreach (var tensor in TensorPlan.For(config).Where(tensor => tensor.Shape.Count == 2 && tensor.Name.EndsWith(LoraNames.WeightSuffix, StringComparison.Ordinal)))
        {
            var module = tensor.Name[..^LoraNames.WeightSuffix.Length];
            if (modules(module))
            {
                factors.Add(module, new LoraFactors(Uniform(rank, tensor.Shape[1], Math.Sqrt(3.0 / tensor.Shape[1])), Uniform(tensor.Shape[0], rank, Math.Sqrt(0.1 / rank)), Scale: 2));
            }
        }

        return new LoraWeights(factors, new Dictionary<string, Tensor>());

        Tensor Uniform(long rows, long columns, double bound) =>
            tensor([.. Enumerable.Range(0, checked((int)(rows * columns))).Select(_ => (float)(((2 * random.NextDouble()) - 1) * bound))], [rows, columns]).DetachFromDisposeScope();
    }
}

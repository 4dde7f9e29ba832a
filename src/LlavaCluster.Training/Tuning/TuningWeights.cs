using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A model folder's tensors for a run: those that learn in the run's buffer, the frozen ones on the mapped file itself where they are float32, or bfloat16 matrices that
/// autocast would make of them anyway; the rest as float32 copies. The checkpoint must outlive them.
/// </summary>
internal sealed class TuningWeights(Checkpoint checkpoint, TrainableParameters trained, bool autocast) : IWeightSource
{
    public Tensor Take(string name, params long[] shape)
    {
        using var _ = no_grad();
        var stored = checkpoint.Take(name, shape);
        if (trained.Contains(name))
        {
            var value = trained.ValueOf(name);
            value.copy_(stored);
            stored.Dispose();
            return value;
        }

        if (stored.dtype == ScalarType.Float32 || (autocast && stored.dtype == ScalarType.BFloat16 && IsMatrix(name, shape)))
        {
            return stored;
        }

        var wide = stored.to(ScalarType.Float32);
        stored.Dispose();
        return wide;
    }

    // Tables of positions are added and not multiplied with.
    private static bool IsMatrix(string name, long[] shape) => shape.Length == 2 && !name.Contains("position_embedding", StringComparison.Ordinal);
}

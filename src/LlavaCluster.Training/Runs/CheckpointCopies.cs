using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Runs;

/// <summary>A model folder's tensors in float32, as copies that may be trained. The caller owns the checkpoint and what it takes.</summary>
/// <param name="checkpoint">Read on demand.</param>
/// <param name="missing">Gives what the model folder has not, as the head that a phase throws away; null where that is an error.</param>
public sealed class CheckpointCopies(Checkpoint checkpoint, IWeightSource? missing = null) : IWeightSource
{
    private readonly HashSet<string> _names = [.. checkpoint.Names];

    public Tensor Take(string name, params long[] shape)
    {
        if (missing is not null && !_names.Contains(name))
        {
            return missing.Take(name, shape);
        }

        using var stored = checkpoint.Take(name, shape);
        return stored.to(ScalarType.Float32, copy: true);
    }
}

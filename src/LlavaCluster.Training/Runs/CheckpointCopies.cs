using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Runs;

/// <summary>A model folder's tensors in float32, as copies that may be trained. The caller owns the checkpoint and what it takes.</summary>
public sealed class CheckpointCopies(Checkpoint checkpoint) : IWeightSource
{
    public Tensor Take(string name, params long[] shape)
    {
        using var stored = checkpoint.Take(name, shape);
        return stored.to(ScalarType.Float32, copy: true);
    }
}

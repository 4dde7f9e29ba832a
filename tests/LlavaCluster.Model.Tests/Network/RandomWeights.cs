using LlavaCluster.Model.Layers;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Network;

/// <summary>Small random tensors, and the names that were asked for.</summary>
internal sealed class RandomWeights(int seed) : IWeightSource
{
    private readonly Generator _generator = new((ulong)seed, CPU);

    public Dictionary<string, long[]> Taken { get; } = [];

    public Tensor Take(string name, params long[] shape)
    {
        Taken.Add(name, shape);
        return randn(shape, generator: _generator) * 0.1;
    }
}

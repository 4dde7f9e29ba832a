using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Network;

/// <summary>Weights that bfloat16 holds exactly, in a type: the same numbers in each.</summary>
internal sealed class Rounded(IWeightSource source, ScalarType type) : IWeightSource
{
    public Tensor Take(string name, params long[] shape)
    {
        using var drawn = source.Take(name, shape);
        using var rounded = drawn.to(ScalarType.BFloat16);
        return rounded.to(type, copy: true);
    }
}

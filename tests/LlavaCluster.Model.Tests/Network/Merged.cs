using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Network;

/// <summary>A base's weights with an adapter's products added to them.</summary>
internal sealed class Merged(IWeightSource source, LoraWeights adapter) : IWeightSource
{
    public Tensor Take(string name, params long[] shape)
    {
        var weight = source.Take(name, shape);
        if (!name.EndsWith(".weight", StringComparison.Ordinal) || !adapter.Modules.TryGetValue(name[..^".weight".Length], out var factors))
        {
            return weight;
        }

        using var product = factors.B.to(ScalarType.Float32).mm(factors.A.to(ScalarType.Float32)).mul(factors.Scale);
        return weight + product;
    }
}

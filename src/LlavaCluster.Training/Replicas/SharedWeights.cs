using LlavaCluster.Model.Layers;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Replicas;

/// <summary>Parameters over another network's storage, with gradients of their own.</summary>
internal sealed class SharedWeights(IReadOnlyDictionary<string, Tensor> parameters, IWeightSource rest) : IWeightSource
{
    public Tensor Take(string name, params long[] shape) =>
        parameters.TryGetValue(name, out var parameter) ? parameter.detach() : rest.Take(name, shape);
}

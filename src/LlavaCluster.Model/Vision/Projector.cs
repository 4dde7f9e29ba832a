using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Image features to word-embedding space: LLaVA's W, LLaVA-1.5's two-layer MLP, or the identity.</summary>
internal sealed class Projector : nn.Module
{
    private readonly Activation _activation;
    private readonly List<Projection> _layers = [];

    public Projector(WeightScope scope, ProjectorConfig config, long inputs, long outputs)
        : base(nameof(Projector))
    {
        _activation = config.Activation;
        for (var i = 1; i <= config.Layers; i++)
        {
            var name = $"linear_{i}";
            var layer = new Projection(scope.Child(name), i == 1 ? inputs : outputs, outputs, config.Bias);
            register_module(name, layer);
            _layers.Add(layer);
        }
    }

    public Tensor Forward(Tensor features, AdapterBatch? adapters)
    {
        for (var i = 0; i < _layers.Count; i++)
        {
            features = _layers[i].Forward(i == 0 ? features : _activation.Apply(features), adapters);
        }

        return features;
    }
}

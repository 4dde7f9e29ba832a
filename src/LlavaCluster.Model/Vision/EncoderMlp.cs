using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>fc2(act(fc1 x)).</summary>
internal sealed class EncoderMlp : nn.Module
{
    private readonly Activation _activation;

    [ComponentName(Name = "fc1")]
    private readonly Projection _widen;

    [ComponentName(Name = "fc2")]
    private readonly Projection _narrow;

    public EncoderMlp(WeightScope scope, VisionConfig config)
        : base(nameof(EncoderMlp))
    {
        _activation = config.Activation;
        _widen = new Projection(scope.Child("fc1"), config.Hidden, config.Intermediate, bias: true);
        _narrow = new Projection(scope.Child("fc2"), config.Intermediate, config.Hidden, bias: true);
        RegisterComponents();
    }

    public Tensor Forward(Tensor hidden, AdapterBatch? adapters) =>
        _narrow.Forward(_activation.Apply(_widen.Forward(hidden, adapters)), adapters);
}

using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>down(silu(gate x) * up x).</summary>
internal sealed class GatedMlp : nn.Module
{
    [ComponentName(Name = "gate_proj")]
    private readonly Projection _gate;

    [ComponentName(Name = "up_proj")]
    private readonly Projection _up;

    [ComponentName(Name = "down_proj")]
    private readonly Projection _down;

    public GatedMlp(WeightScope scope, TextConfig config)
        : base(nameof(GatedMlp))
    {
        _gate = new Projection(scope.Child("gate_proj"), config.Hidden, config.Intermediate, config.MlpBias);
        _up = new Projection(scope.Child("up_proj"), config.Hidden, config.Intermediate, config.MlpBias);
        _down = new Projection(scope.Child("down_proj"), config.Intermediate, config.Hidden, config.MlpBias);
        RegisterComponents();
    }

    public Tensor Forward(Tensor hidden, AdapterBatch? adapters) =>
        _down.Forward(Activation.Silu.Apply(_gate.Forward(hidden, adapters)) * _up.Forward(hidden, adapters), adapters);
}

using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>Layer norm over the last axis, with scale and shift.</summary>
public sealed class LayerNorm : nn.Module
{
    private readonly double _epsilon;
    private readonly long[] _shape;

    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter _bias;

    public LayerNorm(WeightScope scope, long hidden, double epsilon)
        : base(nameof(LayerNorm))
    {
        _epsilon = epsilon;
        _shape = [hidden];
        _weight = scope.Take("weight", hidden);
        _bias = scope.Take("bias", hidden);
        RegisterComponents();
    }

    public Tensor Forward(Tensor input) => nn.functional.layer_norm(input, _shape, _weight, _bias, _epsilon);
}

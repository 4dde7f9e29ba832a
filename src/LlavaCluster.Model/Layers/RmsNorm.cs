using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>Root-mean-square norm over the last axis: computed in float32, cast back, then scaled (transformers: LlamaRMSNorm).</summary>
public sealed class RmsNorm : nn.Module
{
    private readonly Scalar _epsilon;

    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    public RmsNorm(WeightScope scope, long hidden, double epsilon)
        : base(nameof(RmsNorm))
    {
        _epsilon = Scalars.Of(epsilon);
        _weight = scope.Take("weight", hidden);
        RegisterComponents();
    }

    public Tensor Forward(Tensor input)
    {
        var wide = input.to(ScalarType.Float32);
        var scale = wide.mul(wide).mean([-1], keepdim: true).add(_epsilon, Scalars.One).rsqrt();
        return (wide * scale).to(input.dtype) * _weight;
    }
}

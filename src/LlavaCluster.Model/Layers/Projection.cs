using LlavaCluster.Model.Adapters;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>y = x Wᵀ + b, plus the low-rank products of the adapters in the batch. Input [..., in], output [..., out]; the first axis is the adapters' row axis.</summary>
public sealed class Projection : nn.Module
{
    private readonly string _path;
    private readonly PackedWeight? _packed;

    [ComponentName(Name = "weight")]
    private readonly Parameter? _weight; // where it is not packed

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    public Projection(WeightScope scope, long inputs, long outputs, bool bias)
        : base(nameof(Projection))
    {
        _path = scope.Path;
        _packed = scope.FindPacked("weight", outputs, inputs);
        _weight = _packed is null ? scope.Take("weight", outputs, inputs) : null;
        _bias = bias ? scope.Take("bias", outputs) : null;
        RegisterComponents();
    }

    public Tensor Forward(Tensor input, AdapterBatch? adapters)
    {
        var output = _packed is null ? nn.functional.linear(input, _weight!, _bias) : _packed.Multiply(input, _bias);
        return adapters is null ? output : adapters.Apply(_path, input, output);
    }
}

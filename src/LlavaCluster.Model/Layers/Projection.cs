using LlavaCluster.Model.Adapters;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>y = x Wᵀ + b, plus the low-rank products of the adapters in the batch. Input [..., in], output [..., out]; the first axis is the adapters' row axis.</summary>
public sealed class Projection : nn.Module
{
    private readonly string _path;

    [ComponentName(Name = "weight")]
    private readonly Parameter _weight;

    [ComponentName(Name = "bias")]
    private readonly Parameter? _bias;

    public Projection(WeightScope scope, long inputs, long outputs, bool bias)
        : base(nameof(Projection))
    {
        _path = scope.Path;
        _weight = scope.Take("weight", outputs, inputs);
        _bias = bias ? scope.Take("bias", outputs) : null;
        RegisterComponents();
    }

    public Tensor Forward(Tensor input, AdapterBatch? adapters)
    {
        var output = nn.functional.linear(input, _weight, _bias);
        return adapters is null ? output : adapters.Apply(_path, input, output);
    }
}

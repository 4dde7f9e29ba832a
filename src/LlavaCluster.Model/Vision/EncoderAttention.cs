using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Full multi-head attention within each tile.</summary>
internal sealed class EncoderAttention : nn.Module
{
    private readonly int _heads;

    [ComponentName(Name = "q_proj")]
    private readonly Projection _query;

    [ComponentName(Name = "k_proj")]
    private readonly Projection _key;

    [ComponentName(Name = "v_proj")]
    private readonly Projection _value;

    [ComponentName(Name = "out_proj")]
    private readonly Projection _output;

    public EncoderAttention(WeightScope scope, VisionConfig config)
        : base(nameof(EncoderAttention))
    {
        _heads = config.Heads;
        _query = new Projection(scope.Child("q_proj"), config.Hidden, config.Hidden, bias: true);
        _key = new Projection(scope.Child("k_proj"), config.Hidden, config.Hidden, bias: true);
        _value = new Projection(scope.Child("v_proj"), config.Hidden, config.Hidden, bias: true);
        _output = new Projection(scope.Child("out_proj"), config.Hidden, config.Hidden, bias: true);
        RegisterComponents();
    }

    public Tensor Forward(Tensor hidden, AdapterBatch? adapters)
    {
        var mixed = nn.functional.scaled_dot_product_attention(
            Heads(_query.Forward(hidden, adapters)), Heads(_key.Forward(hidden, adapters)), Heads(_value.Forward(hidden, adapters)));
        return _output.Forward(mixed.transpose(1, 2).flatten(2), adapters);
    }

    // [tiles, patches, hidden] to [tiles, heads, patches, headDim]
    private Tensor Heads(Tensor flat) => flat.view(flat.shape[0], flat.shape[1], _heads, -1).transpose(1, 2);
}

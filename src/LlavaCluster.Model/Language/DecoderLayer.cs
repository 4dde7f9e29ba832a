using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>x + attention(norm x), then x + mlp(norm x).</summary>
internal sealed class DecoderLayer : nn.Module
{
    [ComponentName(Name = "input_layernorm")]
    private readonly RmsNorm _attentionNorm;

    [ComponentName(Name = "self_attn")]
    private readonly SelfAttention _attention;

    [ComponentName(Name = "post_attention_layernorm")]
    private readonly RmsNorm _mlpNorm;

    [ComponentName(Name = "mlp")]
    private readonly GatedMlp _mlp;

    public DecoderLayer(WeightScope scope, TextConfig config, int layer)
        : base(nameof(DecoderLayer))
    {
        _attentionNorm = new RmsNorm(scope.Child("input_layernorm"), config.Hidden, config.RmsNormEpsilon);
        _attention = new SelfAttention(scope.Child("self_attn"), config, layer);
        _mlpNorm = new RmsNorm(scope.Child("post_attention_layernorm"), config.Hidden, config.RmsNormEpsilon);
        _mlp = new GatedMlp(scope.Child("mlp"), config);
        RegisterComponents();
    }

    public Tensor Forward(Tensor hidden, (Tensor Cos, Tensor Sin) rotation, IAttention attention, AdapterBatch? adapters)
    {
        using var scope = NewDisposeScope(); // a layer's scratch must not live until the last layer has run
        var attended = hidden.Plus(_attention.Forward(_attentionNorm.Forward(hidden), rotation, attention, adapters));
        return attended.Plus(_mlp.Forward(_mlpNorm.Forward(attended), adapters)).MoveToOuterDisposeScope();
    }
}

using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>A pre-norm transformer block without a mask (transformers: CLIPEncoderLayer). [tiles, patches, hidden] in and out.</summary>
internal sealed class EncoderLayer : nn.Module
{
    [ComponentName(Name = "layer_norm1")]
    private readonly LayerNorm _attentionNorm;

    [ComponentName(Name = "self_attn")]
    private readonly EncoderAttention _attention;

    [ComponentName(Name = "layer_norm2")]
    private readonly LayerNorm _mlpNorm;

    [ComponentName(Name = "mlp")]
    private readonly EncoderMlp _mlp;

    public EncoderLayer(WeightScope scope, VisionConfig config)
        : base(nameof(EncoderLayer))
    {
        _attentionNorm = new LayerNorm(scope.Child("layer_norm1"), config.Hidden, config.LayerNormEpsilon);
        _attention = new EncoderAttention(scope.Child("self_attn"), config);
        _mlpNorm = new LayerNorm(scope.Child("layer_norm2"), config.Hidden, config.LayerNormEpsilon);
        _mlp = new EncoderMlp(scope.Child("mlp"), config);
        RegisterComponents();
    }

    public Tensor Forward(Tensor hidden, AdapterBatch? adapters)
    {
        using var scope = NewDisposeScope(); // a layer's scratch must not live until the last layer has run
        var attended = hidden.Plus(_attention.Forward(_attentionNorm.Forward(hidden), adapters));
        return attended.Plus(_mlp.Forward(_mlpNorm.Forward(attended), adapters)).MoveToOuterDisposeScope();
    }
}

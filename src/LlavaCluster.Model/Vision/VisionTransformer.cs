using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using TorchSharp.Modules;
using LayerNorm = LlavaCluster.Model.Layers.LayerNorm;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Embeddings, the norm before the blocks, and the first <c>depth</c> blocks.</summary>
internal sealed class VisionTransformer : nn.Module
{
    [ComponentName(Name = "embeddings")]
    private readonly PatchEmbedding _embeddings;

    [ComponentName(Name = "pre_layrnorm")] // spelt so in every CLIP checkpoint
    private readonly LayerNorm _preNorm;

    [ComponentName(Name = "encoder")]
    private readonly Encoder _encoder;

    public VisionTransformer(WeightScope scope, VisionConfig config, int depth)
        : base(nameof(VisionTransformer))
    {
        _embeddings = new PatchEmbedding(scope.Child("embeddings"), config);
        _preNorm = new LayerNorm(scope.Child("pre_layrnorm"), config.Hidden, config.LayerNormEpsilon);
        _encoder = new Encoder(scope.Child("encoder"), config, depth);
        RegisterComponents();
    }

    /// <summary>Hidden state 0: after the first norm.</summary>
    public Tensor Embed(Tensor pixels) => _preNorm.Forward(_embeddings.Forward(pixels));

    /// <summary>Hidden state i + 1 from hidden state i.</summary>
    public Tensor Block(int i, Tensor hidden, AdapterBatch? adapters) => _encoder.Block(i, hidden, adapters);

    private sealed class Encoder : nn.Module
    {
        [ComponentName(Name = "layers")]
        private readonly ModuleList<EncoderLayer> _layers;

        public Encoder(WeightScope scope, VisionConfig config, int depth)
            : base(nameof(Encoder))
        {
            var layers = scope.Child("layers");
            _layers = new ModuleList<EncoderLayer>([.. Enumerable.Range(0, depth).Select(i => new EncoderLayer(layers.Child($"{i}"), config))]);
            RegisterComponents();
        }

        public Tensor Block(int i, Tensor hidden, AdapterBatch? adapters) => _layers[i].Forward(hidden, adapters);
    }
}

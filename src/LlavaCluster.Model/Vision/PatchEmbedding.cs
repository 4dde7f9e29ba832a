using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Pixels to patch embeddings with the class embedding in front and positions added: [tiles, 3, S, S] to [tiles, 1 + patches, hidden].</summary>
internal sealed class PatchEmbedding : nn.Module
{
    private readonly VisionConfig _config;

    [ComponentName(Name = "class_embedding")]
    private readonly Parameter _class;

    [ComponentName(Name = "patch_embedding")]
    private readonly PatchKernel _patch;

    [ComponentName(Name = "position_embedding")]
    private readonly TokenEmbedding _position;

    public PatchEmbedding(WeightScope scope, VisionConfig config)
        : base(nameof(PatchEmbedding))
    {
        _config = config;
        _class = scope.Take("class_embedding", config.Hidden);
        _patch = new PatchKernel(scope.Child("patch_embedding"), config);
        _position = new TokenEmbedding(scope.Child("position_embedding"), 1 + (config.Grid * config.Grid), config.Hidden);
        RegisterComponents();
    }

    public Tensor Forward(Tensor pixels)
    {
        var classToken = _class.view(1, 1, -1).expand(pixels.shape[0], 1, _config.Hidden);
        return cat([classToken, _patch.Forward(pixels)], 1).Plus(_position.Table);
    }
}

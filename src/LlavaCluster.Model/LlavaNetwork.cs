using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Vision;
using LlavaCluster.Model.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model;

/// <summary>
/// The LLaVA network: CLIP vision tower, projector, LLaMA decoder. Batches are packed: [tokens, hidden] of any number of sequences, told apart only by
/// <see cref="IAttention"/>. Its state names are the canonical checkpoint names. Not thread-safe: one thread owns it and its tensors.
/// Results belong to the caller's dispose scope.
/// </summary>
public sealed class LlavaNetwork : nn.Module
{
    [ComponentName(Name = "vision_tower")]
    private readonly ClipVisionTower _vision;

    [ComponentName(Name = "multi_modal_projector")]
    private readonly Projector _projector;

    [ComponentName(Name = "language_model")]
    private readonly LlamaModel _language;

    [ComponentName(Name = "lm_head")]
    private readonly Projection? _head;

    [ComponentName(Name = "image_newline")]
    private readonly Parameter? _newline;

    /// <summary>Takes every tensor from <paramref name="weights"/>, in <paramref name="dtype"/> and on <paramref name="device"/>.</summary>
    /// <param name="packed">Matrices that our kernels alone can read; the parameters in their places hold no numbers. It must outlive the network.</param>
    public LlavaNetwork(LlavaConfig config, IWeightSource weights, ScalarType dtype, Device device, PackedMatrices? packed = null)
        : base(nameof(LlavaNetwork))
    {
        Packed = packed;
        Config = config;
        Dtype = dtype;
        Device = device;
        var root = WeightScope.Root(weights);
        var text = config.Text;
        _vision = new ClipVisionTower(root.Child("vision_tower"), config);
        _projector = new Projector(root.Child("multi_modal_projector"), config.Projector, (long)config.Vision.Hidden * config.FeatureLayers.Count, text.Hidden);
        _language = new LlamaModel(root.Child("language_model"), text, device);
        _head = text.TieWordEmbeddings ? null : new Projection(root.Child("lm_head"), text.Hidden, text.VocabSize, bias: false);
        _newline = config.Family == ModelFamily.LlavaNext ? root.Take("image_newline", text.Hidden) : null;
        RegisterComponents();
    }

    public LlavaConfig Config { get; }

    public ScalarType Dtype { get; }

    public Device Device { get; }

    /// <summary>Where it is not null, <see cref="Forward"/> and <see cref="Logits"/> are refused: the language model's matrices are for <see cref="Kernels.Decoding.PagedDecoder"/>.</summary>
    public PackedMatrices? Packed { get; }

    /// <summary>Normalised pixels [tiles, 3, S, S] to projected features [tiles, tokensPerTile, hidden].</summary>
    public Tensor EncodeTiles(Tensor pixels, AdapterBatch? adapters = null, Action<int, Tensor>? probe = null) =>
        _projector.Forward(VisionFeatures(pixels, adapters, probe), adapters);

    /// <summary>Blocks of the tower that run.</summary>
    internal int VisionDepth => _vision.Depth;

    internal TileEncoding BeginTiles(Tensor pixels, LoraAdapter? adapter = null) => new(_vision, _projector, pixels.to(Dtype), adapter is null ? null : AdapterBatch.Whole(adapter));

    /// <summary>The tower's features [tiles, tokensPerTile, vision hidden * layers] to the language model's.</summary>
    internal Tensor Project(Tensor features, AdapterBatch? adapters) => _projector.Forward(features.to(Dtype), adapters);

    /// <summary>The tower's selected features before the projector, [tiles, tokensPerTile, vision hidden * layers].</summary>
    public Tensor VisionFeatures(Tensor pixels, AdapterBatch? adapters = null, Action<int, Tensor>? probe = null) =>
        _vision.Forward(pixels.to(Dtype), adapters, probe);

    /// <summary>One image's projected tiles [tiles, tokensPerTile, hidden] to its features in prompt order, [tokens, hidden].</summary>
    public Tensor PackTiles(Tensor tiles, TileLayout layout)
    {
        var overview = tiles.select(0, 0);
        if (!layout.IsGrid)
        {
            return _newline is null ? overview : cat([overview, _newline.unsqueeze(0)], 0);
        }

        long side = Config.Vision.Grid, hidden = tiles.shape[2];
        var map = tiles.narrow(0, 1, layout.Tiles - 1) // [gridRows * gridColumns, side * side, hidden]
            .view(layout.GridRows, layout.GridColumns, side, side, hidden)
            .permute(0, 2, 1, 3, 4)
            .reshape(layout.GridRows * side, layout.GridColumns * side, hidden)
            .narrow(0, layout.Top, layout.Bottom - layout.Top)
            .narrow(1, layout.Left, layout.Right - layout.Left);
        var newlines = _newline!.view(1, 1, hidden).expand(map.shape[0], 1, hidden);
        return cat([overview, cat([map, newlines], 1).reshape(-1, hidden)], 0);
    }

    /// <summary>Word embeddings of ids [tokens] (int64), [tokens, hidden].</summary>
    public Tensor Embed(Tensor ids) => _language.Embed(ids);

    /// <summary>Packed embeddings [tokens, hidden] at their positions [tokens] (int64, below MaxPositions) to normed hidden states [tokens, hidden].</summary>
    /// <param name="run">How each decoder layer is run; null for as it is.</param>
    /// <exception cref="NotSupportedException">The matrices are packed.</exception>
    public Tensor Forward(Tensor embeddings, Tensor positions, IAttention attention, AdapterBatch? adapters = null, Action<int, Tensor>? probe = null, LayerRunner? run = null)
    {
        RequirePlain();
        return _language.Forward(embeddings, positions, attention, adapters, probe, run);
    }

    /// <summary>Next-token logits of chosen hidden states, [rows, hidden] to [rows, vocab] in float32.</summary>
    /// <exception cref="NotSupportedException">The matrices are packed.</exception>
    public Tensor Logits(Tensor hidden, AdapterBatch? adapters = null)
    {
        RequirePlain();
        var logits = _head is null ? nn.functional.linear(hidden, _language.EmbeddingTable) : _head.Forward(hidden, adapters);
        return logits.to(ScalarType.Float32);
    }

    private void RequirePlain()
    {
        if (Packed is not null)
        {
            throw new NotSupportedException($"The model's matrices are stored in {Packed.Format}, which only the CPU's kernels read; this needs the model they were made from.");
        }
    }
}

using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>The decoder without its output head: embeddings in, normed hidden states out. Batches are packed, [tokens, hidden]; it knows nothing of sequences.</summary>
internal sealed class LlamaModel : nn.Module
{
    private readonly RotaryTable _rotary;

    [ComponentName(Name = "embed_tokens")]
    private readonly TokenEmbedding _embedding;

    [ComponentName(Name = "layers")]
    private readonly ModuleList<DecoderLayer> _layers;

    [ComponentName(Name = "norm")]
    private readonly RmsNorm _norm;

    public LlamaModel(WeightScope scope, TextConfig config, Device device)
        : base(nameof(LlamaModel))
    {
        _rotary = new RotaryTable(config, device);
        _embedding = new TokenEmbedding(scope.Child("embed_tokens"), config.VocabSize, config.Hidden);
        var layers = scope.Child("layers");
        _layers = new ModuleList<DecoderLayer>([.. Enumerable.Range(0, config.Layers).Select(i => new DecoderLayer(layers.Child($"{i}"), config, i))]);
        _norm = new RmsNorm(scope.Child("norm"), config.Hidden, config.RmsNormEpsilon);
        RegisterComponents();
    }

    public Tensor EmbeddingTable => _embedding.Table;

    public Tensor Embed(Tensor ids) => _embedding.Forward(ids);

    /// <param name="probe">Sees each layer's output; for comparisons with a reference.</param>
    /// <param name="run">How each layer is run; null for as it is.</param>
    public Tensor Forward(Tensor embeddings, Tensor positions, IAttention attention, AdapterBatch? adapters, Action<int, Tensor>? probe, LayerRunner? run)
    {
        var rotation = _rotary.At(positions, embeddings.dtype);
        var hidden = embeddings;
        for (var i = 0; i < _layers.Count; i++)
        {
            var layer = _layers[i];
            hidden = run is null ? layer.Forward(hidden, rotation, attention, adapters) : run(input => layer.Forward(input, rotation, attention, adapters), hidden);
            probe?.Invoke(i, hidden);
        }

        return _norm.Forward(hidden);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rotary.Dispose();
        }

        base.Dispose(disposing);
    }
}

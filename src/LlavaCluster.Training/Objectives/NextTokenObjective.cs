using LlavaCluster.Model;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Precision;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>
/// LLaVA's loss: cross entropy of the learned tokens given all before them, pictures included (Visual Instruction Tuning, section 4.2). Logits are computed only where
/// a token is learned.
/// </summary>
public sealed class NextTokenObjective : IObjective<TokenBatch>
{
    private const string AdapterPrefix = "adapter.";

    private readonly bool _autocast;
    private readonly LoraAdapter? _adapter;
    private readonly AdapterBatch? _adapters;
    private readonly PatchWords? _told;
    private readonly LayerRunner? _layers;

    /// <param name="autocast">Whether products run in bfloat16.</param>
    /// <param name="told">Where pictures are told in words: the batches' picture values are weights of these words, and no tower or projector runs; null for pixels.</param>
    /// <param name="adapter">Applied to every row and disposed with this; its tensors are parameters named <c>adapter.*</c>. A shared network's second replica needs one of its own.</param>
    /// <param name="layers">How decoder layers are run; null for as they are.</param>
    public NextTokenObjective(LlavaConfig config, IWeightSource weights, bool autocast, PatchWords? told = null, LoraAdapter? adapter = null, LayerRunner? layers = null)
    {
        _layers = layers;
        _told = told;
        _adapter = adapter;
        _adapters = adapter is null ? null : AdapterBatch.Whole(adapter);
        Network = new LlavaNetwork(config, weights, ScalarType.Float32, CPU);
        _autocast = autocast;
        Parameters =
        [
            .. Network.named_parameters().Select(entry => (entry.name, (Tensor)entry.parameter)),
            .. (adapter?.Tensors ?? []).Select(entry => ($"{AdapterPrefix}{entry.Name}", entry.Value)),
        ];
    }

    public LlavaNetwork Network { get; }

    public IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    public long Terms(TokenBatch batch) => batch.Terms;

    public Tensor Loss(TokenBatch batch) => Loss(batch, _adapters);

    /// <summary>The same with other adapters than its own, or none.</summary>
    public Tensor Loss(TokenBatch batch, AdapterBatch? adapters)
    {
        Tensor logits;
        using (Autocast.BFloat16(_autocast))
        {
            var hidden = Network.Forward(Embed(batch, adapters), tensor(batch.Positions), new PackedAttention(batch.Lengths), adapters, run: _layers); // [tokens, hidden]
            logits = Network.Logits(hidden.index_select(0, tensor(batch.LossPlaces)), adapters);
        }

        return nn.functional.cross_entropy(logits, tensor(batch.LossTargets), reduction: nn.Reduction.Sum);
    }

    public void Dispose()
    {
        Network.Dispose();
        _adapter?.Dispose();
    }

    private Tensor Embed(TokenBatch batch, AdapterBatch? adapters)
    {
        var words = Network.Embed(tensor(batch.Ids)).to(ScalarType.Float32); // [tokens, hidden]; a frozen table may be narrower
        if (batch.Pictures == 0)
        {
            return words;
        }

        var features = _told is null ? Encode(batch, adapters) : Tell(batch, _told);
        return words.index_copy(0, tensor(batch.FeaturePlaces), features.index_select(0, tensor(batch.FeatureRows)).to(words.dtype));
    }

    // [pictures * features, hidden]
    private Tensor Encode(TokenBatch batch, AdapterBatch? adapters)
    {
        var side = Network.Config.Vision.ImageSize;
        return Network.EncodeTiles(tensor(batch.PictureValues, [batch.Pictures, 3, side, side]), adapters).flatten(0, 1);
    }

    // [pictures * features, hidden]
    private Tensor Tell(TokenBatch batch, PatchWords told) =>
        tensor(batch.PictureValues, [batch.PictureValues.Length / told.Count, told.Count]).matmul(told.Embeddings(Network));
}

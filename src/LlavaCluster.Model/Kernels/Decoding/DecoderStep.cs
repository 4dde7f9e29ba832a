using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>What one step computes: tokens, where they lie, which of them are pictures and whose logits are wanted. Filled for each step, reused between steps; one thread.</summary>
public sealed class DecoderStep(int blockSize)
{
    /// <summary>Places of the tokens in the cache.</summary>
    public PagedBatch Batch { get; } = new(blockSize);

    /// <summary>An id for every token of the batch, in the embedding table's range; those under a picture's features count for nothing.</summary>
    public List<long> Ids { get; } = [];

    /// <summary>Pictures' features that stand in place of word embeddings.</summary>
    public List<FeatureRows> Features { get; } = [];

    /// <summary>Runs of tokens that an adapter computes, in order and not overlapping; the others are the base's.</summary>
    public List<AdapterRows> Adapters { get; } = [];

    /// <summary>Tokens of the batch whose next-token logits are wanted.</summary>
    public List<long> Sampled { get; } = [];

    /// <summary>Tokens of the batch of which no more than the likeliest next token is wanted; only for decoders that <see cref="IPagedDecoder.Picks"/>.</summary>
    public List<PickedRow> Picked { get; } = [];

    public void Clear()
    {
        Batch.Clear();
        Ids.Clear();
        Features.Clear();
        Adapters.Clear();
        Sampled.Clear();
        Picked.Clear();
    }
}

/// <param name="Row">The first token of the batch they stand for.</param>
/// <param name="Features">[count, hidden] in the network's type, contiguous; whoever stored them owns them.</param>
/// <param name="First">The first of them that is used.</param>
/// <param name="Count">How many are.</param>
public readonly record struct FeatureRows(int Row, Tensor Features, int First, int Count);

/// <param name="Adapter">Of the step's decoder; whoever made it owns it.</param>
/// <param name="Row">The first token of the batch that it computes.</param>
/// <param name="Count">How many it does.</param>
public readonly record struct AdapterRows(IDecoderAdapter Adapter, int Row, int Count);

/// <summary>A token of the batch whose likeliest next token is wanted: the highest logit, the lowest id among equals, or one of this type's numbers below zero.</summary>
/// <param name="Row">The token.</param>
/// <param name="SkipsEnds">What ends an answer (<see cref="TokenBans.Ends"/>) is picked only where nothing else is left.</param>
public readonly record struct PickedRow(int Row, bool SkipsEnds)
{
    /// <summary>The row has NaN or plus infinity beside the reserved ids.</summary>
    public const int NotFinite = -1;

    /// <summary>Every id is reserved or minus infinity.</summary>
    public const int NothingAllowed = -2;
}

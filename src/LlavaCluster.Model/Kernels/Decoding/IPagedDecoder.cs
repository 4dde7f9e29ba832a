using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>The language model over a batch whose keys and values lie in a <see cref="KvCache"/>. One thread; it owns neither network nor cache.</summary>
public interface IPagedDecoder : IDisposable
{
    /// <summary>Rows [0, ids) of the batch to come become the ids' word embeddings.</summary>
    void Embed(ReadOnlySpan<long> ids);

    /// <summary>Rows [row, row + features) become these features, [features, hidden] in the network's type and contiguous.</summary>
    void Place(int row, Tensor features);

    /// <summary>Runs the batch, whose embeddings are in place: writes its keys and values to the cache and keeps its hidden states for <see cref="Logits"/>.</summary>
    void Forward(PagedBatch batch);

    /// <summary>Next-token logits [rows, vocab] of rows of the last batch, in float32.</summary>
    void Logits(ReadOnlySpan<long> rows, Span<float> logits);
}

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>The language model over batches whose keys and values lie in a <see cref="KvCache"/>. One thread; it owns neither network nor cache.</summary>
public interface IPagedDecoder : IDisposable
{
    /// <summary>Bytes of weights that a step with logits reads at least.</summary>
    long WeightBytes { get; }

    /// <summary>Computes a step: writes its keys and values to the cache and the wanted logits, [sampled, vocab] in float32, to <paramref name="logits"/>.</summary>
    void Decode(DecoderStep step, Span<float> logits);
}

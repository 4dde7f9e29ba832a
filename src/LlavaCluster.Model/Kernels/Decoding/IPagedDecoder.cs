using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>The language model over batches whose keys and values lie in a <see cref="KvCache"/>. One thread; it owns neither network nor cache.</summary>
public interface IPagedDecoder : IDisposable
{
    /// <summary>Bytes of weights that a step with logits reads at least.</summary>
    long WeightBytes { get; }

    /// <summary>Whether it takes <see cref="DecoderStep.Picked"/>, which saves the way of whole rows of logits from a device to the host.</summary>
    bool Picks { get; }

    /// <summary>Copies what an adapter does to the language model into the form that this decoder computes with; the caller owns it.</summary>
    IDecoderAdapter Adapt(LoraWeights weights);

    /// <summary>Whether <see cref="Adapt"/> may run on any thread, beside a step.</summary>
    bool AdaptsAnywhere { get; }

    /// <summary>Computes a step and waits for it: writes its keys and values to the cache and what is wanted of it to the host.</summary>
    /// <param name="logits">Filled with the sampled rows' logits, [sampled, vocab] in float32.</param>
    /// <param name="picks">Filled with the picked rows' ids, or numbers below zero (<see cref="PickedRow"/>), [picked].</param>
    void Decode(DecoderStep step, Span<float> logits, Span<int> picks = default);
}

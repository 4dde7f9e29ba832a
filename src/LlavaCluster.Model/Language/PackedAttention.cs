using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>Attention of sequences of different lengths laid end to end, without a cache: for training, and the plainest form with which others are compared.</summary>
public sealed class PackedAttention(IReadOnlyList<long> lengths) : IAttention
{
    private readonly long[] _lengths = [.. lengths];

    // Split and not narrow: the gradient of a split is one concatenation, that of a narrow a zero-filled tensor as long as the batch for every sequence.
    public Tensor Attend(int layer, Tensor query, Tensor key, Tensor value)
    {
        var (queries, keys, values) = (query.split(_lengths), key.split(_lengths), value.split(_lengths));
        var outputs = _lengths.Select((length, i) => new DenseAttention(1, length).Attend(layer, queries[i], keys[i], values[i])).ToArray();
        return outputs.Length == 1 ? outputs[0] : cat(outputs, 0);
    }
}

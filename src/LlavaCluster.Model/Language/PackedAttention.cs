using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>Attention of sequences of different lengths laid end to end, without a cache: the plainest form, with which others are compared.</summary>
public sealed class PackedAttention(IReadOnlyList<long> lengths) : IAttention
{
    public Tensor Attend(int layer, Tensor query, Tensor key, Tensor value)
    {
        var outputs = new Tensor[lengths.Count];
        var start = 0L;
        for (var i = 0; i < outputs.Length; i++)
        {
            var length = lengths[i];
            outputs[i] = new DenseAttention(1, length)
                .Attend(layer, query.narrow(0, start, length), key.narrow(0, start, length), value.narrow(0, start, length));
            start += length;
        }

        return outputs.Length == 1 ? outputs[0] : cat(outputs, 0);
    }
}

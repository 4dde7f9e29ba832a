using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>
/// Attention of a batch of equally long rows without a cache: tokens are [batch * length], row by row. Padding belongs to the right of a row,
/// where the causal mask keeps it from every real token.
/// </summary>
public sealed class DenseAttention(long batch, long length) : IAttention
{
    public Tensor Attend(int layer, Tensor query, Tensor key, Tensor value)
    {
        long heads = query.shape[1], headDim = query.shape[2], repeats = heads / key.shape[1];
        var output = nn.functional.scaled_dot_product_attention(
            Rows(query), Repeat(Rows(key), repeats), Repeat(Rows(value), repeats), is_casual: true); // [batch, heads, length, headDim]
        return output.transpose(1, 2).reshape(batch * length, heads, headDim);
    }

    private Tensor Rows(Tensor packed) => packed.view(batch, length, packed.shape[1], packed.shape[2]).transpose(1, 2);

    private static Tensor Repeat(Tensor heads, long repeats) => repeats == 1 ? heads : heads.repeat_interleave(repeats, 1);
}

using static TorchSharp.torch;

namespace LlavaCluster.Model.Language;

/// <summary>
/// Causal self-attention over a packed batch of sequences. It alone knows which tokens belong together and where earlier keys and values are:
/// packed for training, paged for serving.
/// </summary>
public interface IAttention
{
    /// <param name="layer">Decoder layer, from 0.</param>
    /// <param name="query">Rotated, [tokens, heads, headDim].</param>
    /// <param name="key">Rotated, [tokens, kvHeads, headDim].</param>
    /// <param name="value">[tokens, kvHeads, headDim].</param>
    /// <returns>[tokens, heads, headDim], to be disposed with the caller's scope.</returns>
    Tensor Attend(int layer, Tensor query, Tensor key, Tensor value);
}

using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>
/// Where a network under construction gets its tensors: a checkpoint or an initialiser.
/// Names are canonical: those of the newer Hugging Face layout without the leading <c>model.</c>.
/// </summary>
public interface IWeightSource
{
    /// <summary>A tensor of exactly this shape, in the network's dtype and device; the caller owns it. Throws if the source has no such tensor.</summary>
    Tensor Take(string name, params long[] shape);

    /// <summary>The matrix of a projection that this source holds in 8 bits and keeps; null where it holds it as numbers, which <see cref="Take"/> gives.</summary>
    PackedWeight? FindPacked(string name, long outputs, long inputs) => null;
}

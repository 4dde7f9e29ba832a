using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>Arithmetic without temporary Scalars (<see cref="Scalars"/> says why).</summary>
public static class TensorExtensions
{
    /// <summary>left + right.</summary>
    public static Tensor Plus(this Tensor left, Tensor right) => left.add(right, Scalars.One);

    /// <summary>tensor * factor.</summary>
    public static Tensor Times(this Tensor tensor, double factor)
    {
        var kept = Scalars.Of(factor);
        var product = tensor.mul(kept);
        GC.KeepAlive(kept);
        return product;
    }
}

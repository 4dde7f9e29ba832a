using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>Arithmetic without temporary Scalars (<see cref="Scalars"/> says why).</summary>
public static class TensorExtensions
{
    /// <summary>left + right.</summary>
    public static Tensor Plus(this Tensor left, Tensor right) => left.add(right, Scalars.One);
}

using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>What a weight file says of one tensor, known before any of its bytes are touched.</summary>
/// <param name="Name">The name in the file.</param>
public sealed record TensorInfo(string Name, ScalarType Type, IReadOnlyList<long> Shape)
{
    /// <summary>libtorch's own bound.</summary>
    internal const int MostDimensions = 64;

    /// <summary>Whether it holds what weights are made of.</summary>
    internal bool IsFloatingPoint => Type is ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float64;

    /// <summary>The shape as it is written in messages, for example <c>[4096, 1024]</c>.</summary>
    public string ShapeText => Print(Shape);

    internal static string Print(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}

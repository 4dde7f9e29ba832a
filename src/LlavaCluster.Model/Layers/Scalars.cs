using TorchSharp;

namespace LlavaCluster.Model.Layers;

/// <summary>
/// Constants for tensor operations that are hot. A C# number given to a TorchSharp operation becomes a Scalar whose only owner is the call, and the call has read
/// its handle before it enters libtorch: a garbage collection on another thread may then finalise it while libtorch reads it ("Expected false to be true" out of
/// Scalar.h). <c>a + b</c> hides such a Scalar too. So layers use <see cref="TensorExtensions.Plus"/> and Scalars that something keeps.
/// </summary>
public static class Scalars
{
    public static Scalar One { get; } = 1;

    /// <summary>The slope of CLIP's quick GELU.</summary>
    internal static Scalar QuickGelu { get; } = 1.702;
}

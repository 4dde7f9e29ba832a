using TorchSharp;

namespace LlavaCluster.Model.Layers;

/// <summary>
/// The one place where C# numbers become Scalars. A number given to a TorchSharp operation becomes a Scalar whose only owner is the call, and the call has read
/// its handle before it enters libtorch: a garbage collection on another thread may then finalise it while libtorch reads it ("Expected false to be true" out of
/// Scalar.h). <c>a + b</c> and <c>x.square()</c> hide such a Scalar too. So the conversions are banned elsewhere (BannedSymbols.Torch.txt), a test of the conventions finds the hidden
/// ones, and layers use Scalars that something keeps or the operations of <see cref="TensorExtensions"/>.
/// </summary>
public static class Scalars
{
    public static Scalar One { get; } = Of(1.0);

    /// <summary>The slope of CLIP's quick GELU.</summary>
    internal static Scalar QuickGelu { get; } = Of(1.702);

    /// <summary>A Scalar that the caller keeps for as long as an operation may read it: in a field, or by <see cref="GC.KeepAlive"/>.</summary>
    public static Scalar Of(double value)
    {
#pragma warning disable RS0030 // Here is the place.
        return value;
#pragma warning restore RS0030
    }
}

using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>Numbers that masks are made of, on the device once and for all. Owns its tensors; one thread.</summary>
internal sealed class DeviceConstants : IDisposable
{
    /// <param name="positions">How many a row may see at most, padding included.</param>
    /// <param name="type">Of masks.</param>
    public DeviceConstants(int positions, ScalarType type, Device device)
    {
        Positions = Made(tensor([.. Enumerable.Range(0, positions).Select(position => (long)position)], device: device));
        Zero = Made(tensor(new float[] { 0 }, dtype: type, device: device));
        Never = Made(tensor(new[] { float.NegativeInfinity }, dtype: type, device: device));
    }

    /// <summary>0, 1, 2, ... in int64.</summary>
    public Tensor Positions { get; }

    /// <summary>[1]</summary>
    public Tensor Zero { get; }

    /// <summary>Minus infinity, [1].</summary>
    public Tensor Never { get; }

    public void Dispose()
    {
        Positions.Dispose();
        Zero.Dispose();
        Never.Dispose();
    }

    private static Tensor Made(Tensor tensor) => tensor.DetachFromDisposeScope();
}

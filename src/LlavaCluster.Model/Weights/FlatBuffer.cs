using LlavaCluster.Model.Kernels;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// float32 numbers in one piece of native memory, which libtorch sees as tensors and others in place: an optimiser and a network link share it without a copy. Zero at first.
/// Its tensors must not outlive it.
/// </summary>
public sealed unsafe class FlatBuffer : IDisposable
{
    private readonly NativeBuffer<float> _memory;

    /// <param name="count">0 to <see cref="int.MaxValue"/>, what a span can hold.</param>
    public FlatBuffer(long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, int.MaxValue);
        Count = (int)count;
        _memory = new NativeBuffer<float>(Math.Max(1, count));
        Span.Clear();
        Tensor = View(0, count);
    }

    public int Count { get; }

    /// <summary>All of it, [count].</summary>
    public Tensor Tensor { get; }

    public Span<float> Span => new(_memory.Pointer, Count);

    /// <summary>A tensor over a part, row-major. It shares nothing but the memory with the others; the caller disposes it.</summary>
    public Tensor View(long offset, params ReadOnlySpan<long> shape) =>
        TensorMemory.View((byte*)(_memory.Pointer + offset), ScalarType.Float32, shape, TensorMemory.ContiguousStrides([.. shape])).DetachFromDisposeScope();

    public void Dispose()
    {
        Tensor.Dispose();
        _memory.Dispose();
    }
}

using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels;

/// <summary>Copies of small tensors in float32, as kernels read them: norms and biases. Owns them.</summary>
internal sealed unsafe class WideVectors : IDisposable
{
    private readonly List<NativeBuffer<float>> _buffers = [];

    /// <summary>Where the copy lies.</summary>
    public nint Widen(Tensor tensor)
    {
        using var wide = tensor.to(ScalarType.Float32);
        var buffer = new NativeBuffer<float>(wide.numel());
        _buffers.Add(buffer);
        new ReadOnlySpan<float>(TensorMemory.Address(wide), (int)buffer.Count).CopyTo(new Span<float>(buffer.Pointer, (int)buffer.Count));
        return (nint)buffer.Pointer;
    }

    public void Dispose() => _buffers.ForEach(buffer => buffer.Dispose());
}

using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Machine;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels;

/// <summary>
/// Keys and values of every layer in blocks of equal size, allocated once: per layer [blocks, blockSize, kvHeads, headDim] twice, or whatever order inside a block its only
/// user prefers. Slot s is token s % blockSize of block s / blockSize. Memory becomes resident as blocks are first written, some of them at a time. Which sequence owns a block is none of its business. Owns its tensors; one thread.
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    public KvCache(TextConfig text, int blocks, int blockSize, ScalarType dtype, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        Blocks = blocks;
        BlockSize = blockSize;
        _keys = new Tensor[text.Layers];
        _values = new Tensor[text.Layers];
        for (var layer = 0; layer < text.Layers; layer++)
        {
            _keys[layer] = Allocate([blocks, blockSize, text.KvHeads, text.HeadDim], dtype, device);
            _values[layer] = Allocate([blocks, blockSize, text.KvHeads, text.HeadDim], dtype, device);
        }
    }

    public int Blocks { get; }

    public int BlockSize { get; }

    /// <summary>Bytes of one block over all layers, in float32 or a 16-bit type: for sizing a pool.</summary>
    public static long BytesPerBlock(TextConfig text, int blockSize, ScalarType dtype) =>
        2L * text.Layers * blockSize * text.KvHeads * text.HeadDim * (dtype == ScalarType.Float32 ? sizeof(float) : sizeof(short));

    /// <summary>Stores keys and values [tokens, kvHeads, headDim] of one layer at slots [tokens] (int64, distinct).</summary>
    public void Write(int layer, Tensor slots, Tensor keys, Tensor values)
    {
        Copy(_keys[layer], slots, keys);
        Copy(_values[layer], slots, values);
    }

    /// <summary>The first <paramref name="context"/> tokens of the listed blocks (int64), each [1, kvHeads, context, headDim], in the caller's dispose scope.</summary>
    public (Tensor Keys, Tensor Values) Read(int layer, Tensor blocks, long context) =>
        (Gather(_keys[layer], blocks, context), Gather(_values[layer], blocks, context));

    /// <summary>Where a layer's keys begin in a CPU's memory: a block's are blockSize * kvHeads * headDim elements further.</summary>
    internal unsafe nint KeyAddress(int layer) => (nint)TensorMemory.Address(_keys[layer]);

    internal unsafe nint ValueAddress(int layer) => (nint)TensorMemory.Address(_values[layer]);

    public void Dispose()
    {
        foreach (var tensor in _keys.Concat(_values))
        {
            tensor.Dispose();
        }
    }

    private static unsafe Tensor Allocate(long[] shape, ScalarType dtype, Device device)
    {
        var tensor = empty(shape, dtype, device).DetachFromDisposeScope();
        if (device.type == TorchSharp.DeviceType.CPU)
        {
            LargePages.Advise(TensorMemory.Address(tensor), tensor.numel() * tensor.ElementSize);
        }

        return tensor;
    }

    private static void Copy(Tensor cache, Tensor slots, Tensor rows)
    {
        using var flat = cache.flatten(0, 1); // [blocks * blockSize, kvHeads, headDim]
        using var _ = flat.index_copy_(0, slots, rows);
    }

    private static Tensor Gather(Tensor cache, Tensor blocks, long context) =>
        cache.index_select(0, blocks).flatten(0, 1).narrow(0, 0, context).transpose(0, 1).unsqueeze(0);
}

using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Machine;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels;

/// <summary>
/// Keys and values of every layer in blocks of equal size, allocated once: [layers, 2, blocks, blockSize, kvHeads, headDim], keys before values, or whatever order inside a block its only
/// user prefers. Slot s is token s % blockSize of block s / blockSize. Memory becomes resident as blocks are first written, some of them at a time. Which sequence owns a block is none of its business. Owns its tensors; one thread.
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly Scalar _zero = Scalars.Of(0);
    private readonly Tensor _all; // [layers * 2, slots, kvHeads * headDim]
    private readonly Layer[] _layers;

    public KvCache(TextConfig text, int blocks, int blockSize, ScalarType dtype, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        (Blocks, BlockSize) = (blocks, blockSize);
        long slots = (long)blocks * blockSize, width = (long)text.KvHeads * text.HeadDim;
        _all = Allocate([2L * text.Layers, slots, width], dtype, device);
        _layers = [.. Enumerable.Range(0, text.Layers).Select(layer => new Layer(_all.narrow(0, 2 * layer, 2), this, text))];
    }

    public int Blocks { get; }

    public int BlockSize { get; }

    /// <summary>Bytes of one block over all layers, in float32 or a 16-bit type: for sizing a pool.</summary>
    public static long BytesPerBlock(TextConfig text, int blockSize, ScalarType dtype) =>
        2L * text.Layers * blockSize * text.KvHeads * text.HeadDim * (dtype == ScalarType.Float32 ? sizeof(float) : sizeof(short));

    /// <summary>Stores keys and values [tokens, kvHeads, headDim] of one layer at slots [tokens] (int64, distinct).</summary>
    public void Write(int layer, Tensor slots, Tensor keys, Tensor values)
    {
        _layers[layer].Keys.index_copy_(0, slots, keys);
        _layers[layer].Values.index_copy_(0, slots, values);
    }

    /// <summary>Makes slots (int64) zero in every layer: a masked row of attention counts for nothing, but not where it holds NaN.</summary>
    public void Clear(Tensor slots) => _all.index_fill_(1, slots, _zero);

    /// <summary>The listed blocks (int64), equally many for each of some sequences, each [sequences, kvHeads, tokens, headDim], in the caller's dispose scope.</summary>
    public (Tensor Keys, Tensor Values) Read(int layer, Tensor blocks, long sequences)
    {
        var both = _layers[layer].Blocks.index_select(1, blocks); // [2, sequences * blocks, blockSize, kvHeads, headDim]
        var (kvHeads, headDim) = (both.shape[3], both.shape[4]);
        both = both.view(2, sequences, -1, kvHeads, headDim).transpose(2, 3);
        return (both.select(0, 0), both.select(0, 1));
    }

    /// <summary>Where a layer's keys begin in a CPU's memory: a block's are blockSize * kvHeads * headDim elements further.</summary>
    internal unsafe nint KeyAddress(int layer) => (nint)TensorMemory.Address(_layers[layer].Keys);

    internal unsafe nint ValueAddress(int layer) => (nint)TensorMemory.Address(_layers[layer].Values);

    public void Dispose()
    {
        foreach (var layer in _layers)
        {
            layer.Dispose();
        }

        _all.Dispose();
    }

    private static unsafe Tensor Allocate(long[] shape, ScalarType dtype, Device device)
    {
        var tensor = empty(shape, dtype, device).DetachFromDisposeScope();
        if (device.type == DeviceType.CPU)
        {
            LargePages.Advise(TensorMemory.Address(tensor), tensor.numel() * tensor.ElementSize);
        }

        return tensor;
    }

    /// <summary>Views of one layer's part.</summary>
    private sealed class Layer : IDisposable
    {
        public Layer(Tensor both, KvCache cache, TextConfig text)
        {
            using (both)
            {
                Blocks = both.view(2, cache.Blocks, cache.BlockSize, text.KvHeads, text.HeadDim).DetachFromDisposeScope();
                Keys = Half(0);
                Values = Half(1);
            }

            Tensor Half(int which)
            {
                using var half = Blocks.select(0, which);
                return half.flatten(0, 1).DetachFromDisposeScope();
            }
        }

        /// <summary>[2, blocks, blockSize, kvHeads, headDim]</summary>
        public Tensor Blocks { get; }

        /// <summary>[slots, kvHeads, headDim]</summary>
        public Tensor Keys { get; }

        public Tensor Values { get; }

        public void Dispose()
        {
            Keys.Dispose();
            Values.Dispose();
            Blocks.Dispose();
        }
    }
}

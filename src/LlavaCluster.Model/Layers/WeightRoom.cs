using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Layers;

/// <summary>Room for one matrix of <see cref="PackedWeight"/>s as numbers, the largest of them, and the threads that pack and unpack. For one thread; must outlive the matrices.</summary>
/// <param name="type">float32, or bfloat16 where products run in it.</param>
/// <param name="threads">That pack and unpack, the caller among them.</param>
public sealed unsafe class WeightRoom(ScalarType type, int threads) : IDisposable
{
    /// <summary>Numbers from which on threads share the unpacking: libtorch's own threads spin for a while after a product, and in their midst a helper gets a core too late for less.</summary>
    private const long Shared = 1 << 20;

    private NativeBuffer<byte>? _room;
    private long _numbers;

    public ScalarType Type => type;

    internal KernelTeam Team { get; } = new(threads);

    /// <summary>There will be a matrix of so many numbers.</summary>
    internal void Reserve(long numbers) => _numbers = Math.Max(_numbers, numbers);

    /// <summary>Overwrites what was there.</summary>
    internal Tensor Unpack(byte* packed, IntegerLayout layout, int outputs)
    {
        var room = Room().Pointer;
        if (type == ScalarType.BFloat16)
        {
            Unpack<BFloat16Element, ushort>(packed, layout, outputs, (ushort*)room);
        }
        else
        {
            Unpack<Float32Element, float>(packed, layout, outputs, (float*)room);
        }

        return TensorMemory.View(room, type, [outputs, layout.Inputs], [layout.Inputs, 1]);
    }

    public void Dispose()
    {
        Team.Dispose();
        _room?.Dispose();
    }

    private void Unpack<TElement, T>(byte* packed, IntegerLayout layout, int outputs, T* numbers)
        where TElement : struct, IElement<T>
        where T : unmanaged
    {
        var (from, to, blocks) = ((nint)packed, (nint)numbers, outputs / ProductKernel.OutputMultiple);
        if ((long)outputs * layout.Inputs >= Shared)
        {
            Team.Run(blocks, (block, _) => Block(block));
            return;
        }

        for (var block = 0; block < blocks; block++)
        {
            Block(block);
        }

        void Block(int block) => IntegerUnpacking.Unpack<TElement, T>(layout, (byte*)from + ((nint)block * layout.BlockBytes), (T*)to + ((nint)block * ProductKernel.OutputMultiple * layout.Inputs));
    }

    private NativeBuffer<byte> Room()
    {
        var bytes = _numbers * TensorMemory.ElementSize(type);
        if (_room is null || _room.Count < bytes)
        {
            _room?.Dispose();
            _room = new NativeBuffer<byte>(bytes);
        }

        return _room;
    }
}

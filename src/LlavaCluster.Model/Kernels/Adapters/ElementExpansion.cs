using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>B as it is, in blocks of 32 outputs with a vector of them for every rank.</summary>
internal sealed unsafe class ElementExpansion<TElement, T> : IExpansion
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int BlockOutputs = 32;
    private const int Lanes = 16;
    private const int TileRows = 4;
    private const int Ahead = 1024; // bytes: what is read once comes from memory, in runs too short for the processor to see them in time

    private readonly T* _blocks;
    private readonly int _rank;

    /// <summary>Copies a factor: [outputs, rank] to [outputs / 32, rank, 32]; what is behind the last output is 0.</summary>
    /// <param name="to">Room for <see cref="Bytes"/>; outlives this.</param>
    public ElementExpansion(Tensor factor, byte* to)
    {
        _blocks = (T*)to;
        _rank = (int)factor.shape[1];
        using var wide = new NativeBuffer<float>((long)BlockOutputs * _rank);
        var column = stackalloc float[BlockOutputs];
        var target = _blocks;
        for (int output = 0, outputs = (int)factor.shape[0]; output < outputs; output += BlockOutputs)
        {
            var some = new Span<float>(wide.Pointer, BlockOutputs * _rank);
            some.Clear();
            TensorMemory.Widen(factor, (long)output * _rank, some[..(Math.Min(BlockOutputs, outputs - output) * _rank)]);
            for (var r = 0; r < _rank; r++, target += BlockOutputs)
            {
                for (var i = 0; i < BlockOutputs; i++)
                {
                    column[i] = some[(i * _rank) + r];
                }

                TElement.StorePairs(column, target);
            }
        }
    }

    /// <summary>Memory that a factor of this shape takes.</summary>
    public static long Bytes(Tensor factor) => (factor.shape[0] + BlockOutputs - 1) / BlockOutputs * BlockOutputs * factor.shape[1] * sizeof(T);

    public void Add(int first, int count, float* low, nint lowStride, int rows, float* y, nint stride) =>
        Add(_blocks + ((nint)first * _rank), _rank, low, lowStride, rows, count, y, stride);

    // All rows pass over a block of outputs while it is in the first-level cache. Every sum goes along the rank in the same order, in a tile or alone.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(T* blocks, int rank, float* low, nint lowStride, int rows, int count, float* y, nint stride)
    {
        for (var output = 0; output < count; output += BlockOutputs, blocks += BlockOutputs * rank)
        {
            var isWhole = output + BlockOutputs <= count;
            var row = 0;
            for (; row + TileRows <= rows; row += TileRows)
            {
                Four(blocks, rank, low + (row * lowStride), lowStride, y + (row * stride) + output, stride, isWhole);
            }

            for (; row < rows; row++)
            {
                One(blocks, rank, low + (row * lowStride), y + (row * stride) + output, isWhole);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(T* block, int rank, float* low, float* y, bool isWhole)
    {
        Vector512<float> left = default, right = default;
        for (var r = 0; r < rank; r++, block += BlockOutputs)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0((byte*)block + Ahead);
            }

            TElement.LoadPairs(block, out var even, out var odd);
            var factor = Vector512.Create(low[r]);
            left = Vector512.FusedMultiplyAdd(factor, even, left);
            right = Vector512.FusedMultiplyAdd(factor, odd, right);
        }

        AddTo(y, left, right, isWhole);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(T* block, int rank, float* low, nint lowStride, float* y, nint stride, bool isWhole)
    {
        Vector512<float> left0 = default, left1 = default, left2 = default, left3 = default, right0 = default, right1 = default, right2 = default, right3 = default;
        float* low1 = low + lowStride, low2 = low1 + lowStride, low3 = low2 + lowStride;
        for (var r = 0; r < rank; r++, block += BlockOutputs)
        {
            TElement.LoadPairs(block, out var even, out var odd);
            Sum(low[r], even, odd, ref left0, ref right0);
            Sum(low1[r], even, odd, ref left1, ref right1);
            Sum(low2[r], even, odd, ref left2, ref right2);
            Sum(low3[r], even, odd, ref left3, ref right3);
        }

        AddTo(y, left0, right0, isWhole);
        AddTo(y + stride, left1, right1, isWhole);
        AddTo(y + (2 * stride), left2, right2, isWhole);
        AddTo(y + (3 * stride), left3, right3, isWhole);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum(float number, Vector512<float> even, Vector512<float> odd, ref Vector512<float> left, ref Vector512<float> right)
    {
        var factor = Vector512.Create(number);
        left = Vector512.FusedMultiplyAdd(factor, even, left);
        right = Vector512.FusedMultiplyAdd(factor, odd, right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo(float* y, Vector512<float> left, Vector512<float> right, bool isWhole)
    {
        (Vector512.Load(y) + left).Store(y);
        if (isWhole)
        {
            (Vector512.Load(y + Lanes) + right).Store(y + Lanes);
        }
    }
}

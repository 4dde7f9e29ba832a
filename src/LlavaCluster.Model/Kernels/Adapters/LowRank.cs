using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>
/// What an adapter adds to projections that read the same rows, y += scale * B (A x). Their A lie one below the other, so that the rows are read once; the product with each B goes
/// straight to where the projection's own lies. A row's numbers do not depend on the rows beside it.
///
/// <code>
///   x [rows, inputs]  →  A of q, k, v: one matrix, filled up to a multiple of 16  →  low [rows, width]
///   low [rows, rank of q]  →  B of q: blocks of 32 outputs, [rank] vectors each   →  added to y
/// </code>
///
/// Owns its memory; reading it is safe from several threads.
/// </summary>
internal sealed unsafe class LowRank<TElement, T> : IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int BlockOutputs = 32;
    private const int Lanes = 16;
    private const int TileRows = 4;
    private const int PieceOutputs = 32;
    private const int Ahead = 1024; // bytes: what is read once comes from memory, in runs too short for the processor to see them in time

    private readonly NativeBuffer<T> _elements;
    private readonly NativeBuffer<float> _scales; // [width]
    private readonly Member[] _members;
    private readonly Matrix _down;

    /// <summary>Copies the factors, in the elements' type.</summary>
    /// <param name="members">One for every projection of the group; null where the adapter leaves it as it is.</param>
    /// <param name="format">The elements' own.</param>
    public LowRank(IReadOnlyList<LoraFactors?> members, WeightFormat format, int inputs)
    {
        var ranks = members.Sum(factors => (int)(factors?.A.shape[0] ?? 0));
        Width = RoundUp(ranks, ProductKernel.OutputMultiple);
        var expansion = members.Sum(factors => factors is null ? 0 : RoundUp((int)factors.B.shape[0], BlockOutputs) * factors.B.shape[1]);
        _elements = new NativeBuffer<T>(((long)Width * inputs) + expansion);
        _scales = new NativeBuffer<float>(Width);
        new Span<float>(_scales.Pointer, Width).Clear();
        _down = new Matrix((nint)_elements.Pointer, Width, ProductKernel.For(format, inputs));
        _members = new Member[members.Count];
        var offset = 0;
        var blocks = _elements.Pointer + ((nint)Width * inputs);
        for (var i = 0; i < members.Count; i++)
        {
            if (members[i] is { } factors)
            {
                var rank = (int)factors.A.shape[0];
                CopyDown(factors.A, _elements.Pointer + ((nint)offset * inputs), inputs);
                new Span<float>(_scales.Pointer + offset, rank).Fill((float)factors.Scale);
                _members[i] = new Member((nint)blocks, offset, rank);
                blocks = CopyUp(factors.B, blocks);
                offset += rank;
            }
        }

        for (var row = offset; row < Width; row++)
        {
            new Span<T>(_elements.Pointer + ((nint)row * inputs), inputs).Clear();
        }
    }

    /// <summary>Floats of a row between the two products.</summary>
    public int Width { get; }

    public long Bytes => (_elements.Count * sizeof(T)) + (_scales.Count * sizeof(float));

    /// <summary>Parts that the first product is shared in.</summary>
    public int Pieces => (Width + PieceOutputs - 1) / PieceOutputs;

    /// <summary>A piece of the first product, scaled.</summary>
    /// <param name="x">[rows, inputs] in the elements' type.</param>
    /// <param name="low">[rows, width] with <paramref name="stride"/> floats from row to row.</param>
    public void Shrink(int piece, byte* x, int rows, float* low, nint stride)
    {
        var first = piece * PieceOutputs;
        var end = Math.Min(Width, first + PieceOutputs);
        _down.Kernel.Multiply(x, rows, _down.Row(first), end - first, low + first, stride, add: false);
        for (var row = 0; row < rows; row++, low += stride)
        {
            for (var i = first; i < end; i += Lanes)
            {
                (Vector512.Load(low + i) * Vector512.Load(_scales.Pointer + i)).Store(low + i);
            }
        }
    }

    /// <summary>The second product of one projection for some of its outputs, added to what is there.</summary>
    /// <param name="first">A multiple of 32.</param>
    /// <param name="count">A multiple of 16.</param>
    /// <param name="low">[rows, width], as <see cref="Shrink"/> leaves it.</param>
    /// <param name="y">[rows, stride]: output <paramref name="first"/> of row 0.</param>
    public void Expand(int member, int first, int count, float* low, nint lowStride, int rows, float* y, nint stride)
    {
        var (blocks, offset, rank) = _members[member];
        if (rank > 0)
        {
            Add((T*)blocks + ((nint)first * rank), rank, low + offset, lowStride, rows, count, y, stride);
        }
    }

    public void Dispose()
    {
        _elements.Dispose();
        _scales.Dispose();
    }

    private static int RoundUp(int count, int multiple) => (count + multiple - 1) / multiple * multiple;

    private static void CopyDown(Tensor factor, T* to, int inputs)
    {
        using var wide = new NativeBuffer<float>(inputs);
        for (var row = 0; row < factor.shape[0]; row++)
        {
            TensorMemory.Widen(factor, (long)row * inputs, new Span<float>(wide.Pointer, inputs));
            RowKernels.Store<TElement, T>(wide.Pointer, to + ((nint)row * inputs), inputs);
        }
    }

    // [outputs, rank] to [outputs / 32, rank, 32]; what is behind the last output is 0.
    private static T* CopyUp(Tensor factor, T* to)
    {
        var (outputs, rank) = ((int)factor.shape[0], (int)factor.shape[1]);
        using var wide = new NativeBuffer<float>((long)BlockOutputs * rank);
        var column = stackalloc float[BlockOutputs];
        for (var output = 0; output < outputs; output += BlockOutputs)
        {
            var some = new Span<float>(wide.Pointer, BlockOutputs * rank);
            some.Clear();
            TensorMemory.Widen(factor, (long)output * rank, some[..(Math.Min(BlockOutputs, outputs - output) * rank)]);
            for (var r = 0; r < rank; r++, to += BlockOutputs)
            {
                for (var i = 0; i < BlockOutputs; i++)
                {
                    column[i] = some[(i * rank) + r];
                }

                TElement.StorePairs(column, to);
            }
        }

        return to;
    }

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

    /// <param name="Blocks">Its B.</param>
    /// <param name="Offset">Where its numbers begin between the two products.</param>
    /// <param name="Rank">0 where the projection is left as it is.</param>
    private readonly record struct Member(nint Blocks, int Offset, int Rank);
}

using System.Diagnostics;
using System.Runtime.Intrinsics;
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
///   low [rows, rank of q]  →  B of q (<see cref="IExpansion"/>)                    →  added to y
/// </code>
///
/// Owns its memory; reading it is safe from several threads.
/// </summary>
internal sealed unsafe class LowRank : IDisposable
{
    private const int Lanes = 16;
    private const int PieceOutputs = 32;

    private readonly NativeBuffer<byte> _packed; // A, then every B
    private readonly NativeBuffer<float> _scales; // [width]
    private readonly Member[] _members;
    private readonly Matrix _down;

    /// <summary>Copies the factors.</summary>
    /// <param name="members">One for every projection of the group; null where the adapter leaves it as it is.</param>
    /// <param name="format">Of the factors: the elements' own, or of 8-bit integers.</param>
    public LowRank(IReadOnlyList<LoraFactors?> members, WeightFormat format, int inputs)
    {
        var kernel = ProductKernel.For(format, inputs);
        Width = RoundUp(members.Sum(factors => (int)(factors?.A.shape[0] ?? 0)), ProductKernel.OutputMultiple);
        var downBytes = (long)Width * kernel.OutputBytes;
        _packed = new NativeBuffer<byte>(downBytes + members.Sum(factors => factors is null ? 0 : ExpansionBytes(factors.B, format)));
        _scales = new NativeBuffer<float>(Width);
        _down = new Matrix((nint)_packed.Pointer, Width, kernel);
        _members = new Member[members.Count];
        Pack([.. members.OfType<LoraFactors>()], format);
        var offset = 0;
        var to = _packed.Pointer + downBytes;
        for (var i = 0; i < members.Count; i++)
        {
            if (members[i] is { } factors)
            {
                _members[i] = new Member(Expansion(factors.B, format, to), offset);
                offset += (int)factors.A.shape[0];
                to += ExpansionBytes(factors.B, format);
            }
        }
    }

    /// <summary>Floats of a row between the two products.</summary>
    public int Width { get; }

    public long Bytes => _packed.Count + (_scales.Count * sizeof(float));

    /// <summary>Parts that the first product is shared in.</summary>
    public int Pieces => (Width + PieceOutputs - 1) / PieceOutputs;

    /// <summary>A piece of the first product, scaled.</summary>
    /// <param name="x">[rows] as the kernels of the factors' format read them.</param>
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
        var (expansion, offset) = _members[member];
        expansion?.Add(first, count, low + offset, lowStride, rows, y, stride);
    }

    public void Dispose()
    {
        _packed.Dispose();
        _scales.Dispose();
    }

    private static int RoundUp(int count, int multiple) => (count + multiple - 1) / multiple * multiple;

    private static long ExpansionBytes(Tensor factor, WeightFormat format) => format switch
    {
        WeightFormat.Float32 => ElementExpansion<Float32Element, float>.Bytes(factor),
        WeightFormat.BFloat16 => ElementExpansion<BFloat16Element, ushort>.Bytes(factor),
        WeightFormat.Q8 => IntegerExpansion.Bytes(factor),
        _ => throw new UnreachableException($"Factors are not kept in {format}."),
    };

    private static IExpansion Expansion(Tensor factor, WeightFormat format, byte* to) => format switch
    {
        WeightFormat.Float32 => new ElementExpansion<Float32Element, float>(factor, to),
        WeightFormat.BFloat16 => new ElementExpansion<BFloat16Element, ushort>(factor, to),
        WeightFormat.Q8 => new IntegerExpansion(factor, to),
        _ => throw new UnreachableException($"Factors are not kept in {format}."),
    };

    // A block of outputs at a time, so that only a few rows exist in float32; those behind the last are 0.
    private void Pack(IReadOnlyList<LoraFactors> members, WeightFormat format)
    {
        var rows = members.SelectMany(factors => Enumerable.Range(0, (int)factors.A.shape[0]).Select(row => (factors, row))).ToList();
        var inputs = _down.Kernel.Inputs;
        using var wide = new NativeBuffer<float>((long)ProductKernel.OutputMultiple * inputs);
        for (var first = 0; first < Width; first += ProductKernel.OutputMultiple)
        {
            var block = new Span<float>(wide.Pointer, ProductKernel.OutputMultiple * inputs);
            block.Clear();
            for (var row = first; row < first + ProductKernel.OutputMultiple; row++)
            {
                _scales.Pointer[row] = row < rows.Count ? (float)rows[row].factors.Scale : 0;
                if (row < rows.Count)
                {
                    TensorMemory.Widen(rows[row].factors.A, (long)rows[row].row * inputs, block.Slice((row - first) * inputs, inputs));
                }
            }

            MatrixPacking.Pack(wide.Pointer, format, _down.Kernel, _down.Row(first));
        }
    }

    /// <param name="Expansion">Null where the projection is left as it is.</param>
    /// <param name="Offset">Where its numbers begin between the two products.</param>
    private readonly record struct Member(IExpansion? Expansion, int Offset);
}

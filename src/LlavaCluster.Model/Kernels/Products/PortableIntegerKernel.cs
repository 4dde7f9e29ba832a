using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>Any processor over an <see cref="IntegerLayout"/>: 8 outputs at a time, with AVX-VNNI's or AVX2's products of bytes where they are.</summary>
internal sealed unsafe class PortableIntegerKernel(IntegerLayout layout) : IProductKernel
{
    private const int Lanes = ProductKernel.OutputMultiple;
    private const int HalfLanes = Lanes / 2;
    private const int HalfBytes = IntegerLayout.QuadBytes / 2;

    public int Inputs => layout.Inputs;

    public int RowBytes => layout.RowBytes;

    public int OutputBytes => layout.BlockBytes / Lanes;

    public void Store(float* values, byte* row, int first, int count) => IntegerPacking.Store(values, row, first, count);

    public void Multiply(byte* x, int rows, byte* weights, int outputs, float* y, nint stride, bool add)
    {
        for (var output = 0; output < outputs; output += Lanes)
        {
            var block = weights + ((nint)output / Lanes * layout.BlockBytes);
            for (var row = 0; row < rows; row++)
            {
                Multiply(x + ((nint)row * RowBytes), block, y + (row * stride) + output, add);
            }
        }
    }

    private void Multiply(byte* row, byte* block, float* y, bool add)
    {
        var (low, high) = (Vector256<float>.Zero, Vector256<float>.Zero);
        for (var group = 0; group < layout.Groups; group++)
        {
            var x = row + (group * IntegerLayout.RowGroupBytes);
            var weights = block + (group * layout.GroupBytes);
            var first = Vector256.Create(*(int*)(x + layout.RowSumAt));
            var second = first;
            for (var quad = 0; quad < layout.QuadsOf(group); quad++)
            {
                var inputs = Vector256.Create(((int*)x)[quad]).AsSByte();
                first = Dot(first, Weights(weights, quad), inputs);
                second = Dot(second, Weights(weights + HalfBytes, quad), inputs);
            }

            var scale = Vector256.Create(*(float*)(x + IntegerLayout.RowScaleAt));
            var scales = (Half*)(block + layout.ScalesAt + (group * IntegerLayout.ScaleBytes));
            low += Vector256.ConvertToSingle(first) * Scales(scales) * scale;
            high += Vector256.ConvertToSingle(second) * Scales(scales + HalfLanes) * scale;
        }

        (add ? low + Vector256.Load(y) : low).Store(y);
        (add ? high + Vector256.Load(y + HalfLanes) : high).Store(y + HalfLanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector256<byte> Weights(byte* group, int quad)
    {
        if (layout.Bits == 8)
        {
            return Vector256.Load(group + (quad * IntegerLayout.QuadBytes));
        }

        var both = Vector256.Load(group + (quad / 2 * IntegerLayout.QuadBytes));
        return (quad % 2 == 0 ? both : both >> layout.Bits) & Vector256.Create((byte)0x0F);
    }

    // Four products of an unsigned and a signed byte in each of 8 sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Dot(Vector256<int> sum, Vector256<byte> weights, Vector256<sbyte> inputs)
    {
        if (AvxVnni.IsSupported)
        {
            return AvxVnni.MultiplyWideningAndAdd(sum, weights, inputs);
        }

        // Bytes 0 and 2 of every four, then 1 and 3, as 16-bit numbers whose products are added in pairs.
        var even = (weights.AsInt16() & Vector256.Create((short)0xFF), (inputs.AsInt16() << 8) >> 8);
        var odd = ((weights.AsUInt16() >> 8).AsInt16(), inputs.AsInt16() >> 8);
        return sum + Pairs(even.Item1, even.Item2) + Pairs(odd.Item1, odd.Item2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pairs(Vector256<short> left, Vector256<short> right)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.MultiplyAddAdjacent(left, right);
        }

        var (low, high) = ((left.AsInt32() << 16) >> 16, left.AsInt32() >> 16);
        return (low * ((right.AsInt32() << 16) >> 16)) + (high * (right.AsInt32() >> 16));
    }

    private static Vector256<float> Scales(Half* scales) => Vector256.Create(
        (float)scales[0], (float)scales[1], (float)scales[2], (float)scales[3], (float)scales[4], (float)scales[5], (float)scales[6], (float)scales[7]);
}

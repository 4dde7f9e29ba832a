using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>
/// Rounds weights and rows to the integers of an <see cref="IntegerLayout"/>. A scale is the group's largest magnitude over the largest integer, and integers are
/// rounded to the nearest with the scale as it is stored. Pure.
/// </summary>
internal static unsafe class IntegerPacking
{
    private const int LargestInput = 127;
    private const int Lanes = 8;

    /// <summary>Packs [outputs, inputs] into blocks.</summary>
    /// <param name="layout">Its format and inputs.</param>
    /// <param name="weights">Finite.</param>
    /// <param name="outputs">A multiple of 16.</param>
    /// <param name="packed">outputs / 16 blocks.</param>
    public static void Pack(IntegerLayout layout, ReadOnlySpan<float> weights, int outputs, byte* packed)
    {
        for (var block = 0; block < outputs / ProductKernel.OutputMultiple; block++)
        {
            var target = packed + ((nint)block * layout.BlockBytes);
            new Span<byte>(target, layout.ScalesAt).Clear(); // nibbles are put in one by one
            for (var lane = 0; lane < ProductKernel.OutputMultiple; lane++)
            {
                var row = weights.Slice(((block * ProductKernel.OutputMultiple) + lane) * layout.Inputs, layout.Inputs);
                for (var group = 0; group < layout.Groups; group++)
                {
                    PackGroup(layout, row.Slice(group * IntegerLayout.GroupInputs, layout.QuadsOf(group) * IntegerLayout.QuadInputs), target, group, lane);
                }
            }
        }
    }

    /// <summary>The weights that a packed block stands for, [16, inputs].</summary>
    public static void Unpack(IntegerLayout layout, byte* block, Span<float> weights)
    {
        for (var lane = 0; lane < ProductKernel.OutputMultiple; lane++)
        {
            for (var input = 0; input < layout.Inputs; input++)
            {
                var scale = (float)Scale(layout, block, input / IntegerLayout.GroupInputs, lane);
                weights[(lane * layout.Inputs) + input] = (Integer(layout, block, input, lane) - layout.Offset) * scale;
            }
        }
    }

    /// <summary>Rounds count numbers, whole groups, into a row from input first on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(float* values, byte* row, int first, int count)
    {
        for (var at = 0; at < count; at += IntegerLayout.GroupInputs)
        {
            StoreGroup(values + at, row + ((first + at) / IntegerLayout.GroupInputs * IntegerLayout.RowGroupBytes));
        }
    }

    private static void PackGroup(IntegerLayout layout, ReadOnlySpan<float> values, byte* block, int group, int lane)
    {
        var scale = WeightScale(layout, values);
        *ScaleAt(layout, block, group, lane) = scale;
        var inverse = scale == (Half)0 ? 0 : 1 / (float)scale;
        for (var k = 0; k < values.Length; k++)
        {
            var q = Math.Clamp((int)MathF.Round(values[k] * inverse) + layout.Offset, 0, (1 << layout.Bits) - 1);
            var (place, shift) = Place(layout, (group * IntegerLayout.GroupInputs) + k, lane);
            block[place] |= (byte)(q << shift);
        }
    }

    // Eight bits have room for both signs of the largest magnitude. Four bits hold -8 to 7, so the number of largest magnitude gets the -8 and decides the scale's sign.
    private static Half WeightScale(IntegerLayout layout, ReadOnlySpan<float> values)
    {
        var extreme = 0f;
        foreach (var value in values)
        {
            extreme = MathF.Abs(value) > MathF.Abs(extreme) ? value : extreme;
        }

        return (Half)(layout.Bits == 8 ? MathF.Abs(extreme) / LargestInput : -extreme / layout.Offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StoreGroup(float* values, byte* group)
    {
        var (first, second, third, fourth) = (Vector256.Load(values), Vector256.Load(values + Lanes), Vector256.Load(values + (2 * Lanes)), Vector256.Load(values + (3 * Lanes)));
        var largest = Largest(Vector256.Max(Vector256.Max(Vector256.Abs(first), Vector256.Abs(second)), Vector256.Max(Vector256.Abs(third), Vector256.Abs(fourth))));
        var inverse = Vector256.Create(largest == 0 ? 0 : LargestInput / largest);
        var (a, b, c, d) = (Rounded(first * inverse), Rounded(second * inverse), Rounded(third * inverse), Rounded(fourth * inverse));
        Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).Store((sbyte*)group);
        *(float*)(group + IntegerLayout.RowScaleAt) = largest / LargestInput;
        var sum = Vector256.Sum(a + b + c + d);
        *(int*)(group + IntegerLayout.RowByteSumAt) = -IntegerLayout.ByteOffset * sum;
        *(int*)(group + IntegerLayout.RowNibbleSumAt) = -IntegerLayout.NibbleOffset * sum;
    }

    private static float Largest(Vector256<float> values)
    {
        var four = Vector128.Max(values.GetLower(), values.GetUpper());
        return MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
    }

    // To the nearest, ties to even.
    private static Vector256<int> Rounded(Vector256<float> values) => Vector256.ConvertToInt32(Vector256.Round(values));

    private static Half Scale(IntegerLayout layout, byte* block, int group, int lane) => *ScaleAt(layout, block, group, lane);

    private static Half* ScaleAt(IntegerLayout layout, byte* block, int group, int lane) =>
        (Half*)(block + layout.ScalesAt + (group * IntegerLayout.ScaleBytes)) + lane;

    private static int Integer(IntegerLayout layout, byte* block, int input, int lane)
    {
        var (place, shift) = Place(layout, input, lane);
        return (block[place] >> shift) & ((1 << layout.Bits) - 1);
    }

    private static (int Place, int Shift) Place(IntegerLayout layout, int input, int lane)
    {
        var (group, quad, k) = (input / IntegerLayout.GroupInputs, input % IntegerLayout.GroupInputs / IntegerLayout.QuadInputs, input % IntegerLayout.QuadInputs);
        var inQuad = (lane * IntegerLayout.QuadInputs) + k;
        return layout.Bits == 8
            ? ((group * layout.GroupBytes) + (quad * IntegerLayout.QuadBytes) + inQuad, 0)
            : ((group * layout.GroupBytes) + (quad / 2 * IntegerLayout.QuadBytes) + inQuad, quad % 2 * layout.Bits);
    }
}

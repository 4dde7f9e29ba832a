using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>The sums of the lanes of sixteen registers, as one register: a transposition that adds at every level, always in the same order.</summary>
internal static unsafe class LaneSums
{
    private const int Lanes = 16;

    /// <param name="groups">Four groups of four registers of 16 floats, 64-byte aligned.</param>
    /// <param name="groupStride">Floats from one group to the next.</param>
    /// <returns>Lane 4 g + n is the sum of register n of group g.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(float* groups, int groupStride)
    {
        var (first, second) = (OfGroup(groups), OfGroup(groups + groupStride));
        var (third, fourth) = (OfGroup(groups + (2 * groupStride)), OfGroup(groups + (3 * groupStride)));
        return Halves(Quarters(first, second), Quarters(third, fourth));
    }

    // Four registers to one: lane 4 i + n holds what is left of register n in its quarter i.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> OfGroup(float* group)
    {
        var left = Pairs(Vector512.LoadAligned(group), Vector512.LoadAligned(group + Lanes));
        var right = Pairs(Vector512.LoadAligned(group + (2 * Lanes)), Vector512.LoadAligned(group + (3 * Lanes)));
        return Avx512F.UnpackLow(left.AsDouble(), right.AsDouble()).AsSingle() + Avx512F.UnpackHigh(left.AsDouble(), right.AsDouble()).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Pairs(Vector512<float> left, Vector512<float> right) => Avx512F.UnpackLow(left, right) + Avx512F.UnpackHigh(left, right);

    // Quarters 0 + 2 and 1 + 3 of each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> left, Vector512<float> right) =>
        Avx512F.Shuffle4x128(left, right, 0x44) + Avx512F.Shuffle4x128(left, right, 0xEE);

    // Quarters 0 + 1 and 2 + 3 of each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Halves(Vector512<float> left, Vector512<float> right) =>
        Avx512F.Shuffle4x128(left, right, 0x88) + Avx512F.Shuffle4x128(left, right, 0xDD);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using LlavaCluster.Model.Kernels.Machine;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>The sums of the lanes of sixteen registers, as one register: a transposition that adds at every level, always in the same order. Its first half is machine code.</summary>
internal static unsafe class LaneSums
{
    /// <summary>Four registers to one: lane 4 i + n holds what is left of register n in its quarter i.</summary>
    /// <param name="first">The first of the four.</param>
    /// <param name="to">A register, and the three after it, that are free.</param>
    public static void Quarter(Assembler code, int first, int to)
    {
        Pair(first, to);
        Pair(first + 2, to + 2);
        code.JoinLow(to + 1, to, to + 2);
        code.JoinHigh(to + 3, to, to + 2);
        code.Add(to, to + 1, to + 3);

        void Pair(int left, int target)
        {
            code.InterleaveLow(target, left, left + 1);
            code.InterleaveHigh(target + 1, left, left + 1);
            code.Add(target, target, target + 1);
        }
    }

    /// <param name="quarters">Four registers that <see cref="Quarter"/> made, 64-byte aligned.</param>
    /// <param name="stride">Floats from one to the next.</param>
    /// <returns>Lane 4 g + n is the sum of register n of group g.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(float* quarters, int stride)
    {
        var front = Quarters(Vector512.LoadAligned(quarters), Vector512.LoadAligned(quarters + stride));
        return Halves(front, Quarters(Vector512.LoadAligned(quarters + (2 * stride)), Vector512.LoadAligned(quarters + (3 * stride))));
    }

    // Quarters 0 + 2 and 1 + 3 of each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Quarters(Vector512<float> left, Vector512<float> right) =>
        Avx512F.Shuffle4x128(left, right, 0x44) + Avx512F.Shuffle4x128(left, right, 0xEE);

    // Quarters 0 + 1 and 2 + 3 of each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Halves(Vector512<float> left, Vector512<float> right) =>
        Avx512F.Shuffle4x128(left, right, 0x88) + Avx512F.Shuffle4x128(left, right, 0xDD);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace LlavaCluster.Model.Kernels.Products;

/// <summary>The numbers that 8-bit weights stand for, as <see cref="IntegerPacking.Unpack"/> has them, at the speed of memory. Pure.</summary>
internal static unsafe class IntegerUnpacking
{
    private const int Lanes = ProductKernel.OutputMultiple;
    private const int HalfGroup = IntegerLayout.GroupInputs / 2;

    /// <summary>Unpacks a block.</summary>
    /// <param name="layout">Of 8 bits.</param>
    /// <param name="weights">[16, inputs], row after row.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack<TElement, T>(IntegerLayout layout, byte* block, T* weights)
        where TElement : struct, IElement<T>
        where T : unmanaged
    {
        var values = stackalloc float[IntegerLayout.GroupInputs];
        var scales = (Half*)(block + layout.ScalesAt);
        for (var group = 0; group < layout.Groups; group++)
        {
            // A word is a quad of inputs of one output; the next quad of the same output lies 16 words further on.
            var words = (uint*)(block + ((nint)group * layout.GroupBytes));
            for (var lane = 0; lane < Lanes; lane++)
            {
                var scale = Vector256.Create((float)scales[(group * Lanes) + lane]);
                var word = words + lane;
                Widen(Vector128.Create(word[0], word[Lanes], word[2 * Lanes], word[3 * Lanes]).AsByte(), scale, values);
                Widen(Vector128.Create(word[4 * Lanes], word[5 * Lanes], word[6 * Lanes], word[7 * Lanes]).AsByte(), scale, values + HalfGroup);
                RowKernels.Store<TElement, T>(values, weights + ((nint)lane * layout.Inputs) + (group * IntegerLayout.GroupInputs), IntegerLayout.GroupInputs);
            }
        }
    }

    // 16 integers of one group to numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen(Vector128<byte> integers, Vector256<float> scale, float* to)
    {
        var wide = Vector256.WidenLower(integers.ToVector256Unsafe()).AsInt16() - Vector256.Create((short)IntegerLayout.ByteOffset);
        (Vector256.ConvertToSingle(Vector256.WidenLower(wide)) * scale).Store(to);
        (Vector256.ConvertToSingle(Vector256.WidenUpper(wide)) * scale).Store(to + Vector256<float>.Count);
    }
}

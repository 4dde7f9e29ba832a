using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace LlavaCluster.Model.Kernels;

/// <summary>
/// e to the power of 16 floats, in float32: within 2 units in the last place where the result is a normal number. The library's computes in double precision, for the last one too.
/// A power of two is split off (Cody and Waite), the rest is a polynomial with the coefficients of expf in the Cephes library.
/// </summary>
internal static class Exponential
{
    private const float Log2OfE = 1.44269504f;
    private const float Ln2High = 0.693359375f, Ln2Low = -2.12194440e-4f; // the first has so few bits that it is multiplied exactly
    private const float C5 = 1.9875691500e-4f, C4 = 1.3981999507e-3f, C3 = 8.3334519073e-3f, C2 = 4.1665795894e-2f, C1 = 1.6666665459e-1f, C0 = 5.0000001201e-1f;
    private const float Most = 104; // beyond it, on either side, the result is infinite or 0
    private const int ExponentBias = 127, MantissaBits = 23;

    /// <summary>0 for minus infinity, infinite for infinity, not a number for what is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<float> x)
    {
        // In this order the machine's minimum and maximum let what is not a number through.
        x = Vector512.MinNative(Vector512.Create(Most), Vector512.MaxNative(Vector512.Create(-Most), x));
        var power = Vector512.Round(x * Log2OfE);
        var rest = Vector512.FusedMultiplyAdd(power, Vector512.Create(-Ln2Low), Vector512.FusedMultiplyAdd(power, Vector512.Create(-Ln2High), x));
        var sum = Vector512.FusedMultiplyAdd(Vector512.Create(C5), rest, Vector512.Create(C4));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(C3));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(C2));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(C1));
        sum = Vector512.FusedMultiplyAdd(sum, rest, Vector512.Create(C0));
        sum = Vector512.FusedMultiplyAdd(sum, rest * rest, rest) + Vector512<float>.One;
        return Avx512F.IsSupported ? Avx512F.Scale(sum, power) : Scale(sum, Vector512.ConvertToInt32(power));
    }

    // In two steps, because the power of two alone may be too large or too small for a float.
    private static Vector512<float> Scale(Vector512<float> value, Vector512<int> power)
    {
        var half = power >> 1;
        return value * PowerOfTwo(half) * PowerOfTwo(power - half);
    }

    private static Vector512<float> PowerOfTwo(Vector512<int> power) => ((power + Vector512.Create(ExponentBias)) << MantissaBits).AsSingle();
}

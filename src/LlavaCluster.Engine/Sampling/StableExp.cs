using System.Runtime.Intrinsics;

namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// exp for non-positive numbers by additions and multiplications only (no fused ones, no C library), so that every processor
/// gets the same bits and a replayed draw cannot differ. Relative error below 1e-7, that of the float it returns.
/// </summary>
internal static class StableExp
{
    private const double Log2E = 1.4426950408889634;
    private const double Ln2High = 6.93147180369123816490e-01;
    private const double Ln2Low = 1.90821492927058770002e-10;

    // Adding this number to a small one rounds it to an integer, left in the low bits of the sum.
    private const double RoundingShift = 6755399441055744.0;

    // Below this, the result is 0: beside the best token's 1, a weight of exp(-60) would be drawn once in 10^26 times.
    private const double Smallest = -60;

    /// <summary>Replaces each value by exp((value - max) * scale), which lies in [0, 1]. Minus infinity gives 0.</summary>
    /// <returns>The sum of the new values, added up in a fixed order.</returns>
    public static double Apply(Span<float> values, float max, double scale)
    {
        var sums = Vector256<double>.Zero;
        var at = 0;
        for (; at + Vector256<double>.Count <= values.Length; at += Vector256<double>.Count)
        {
            var part = Vector128.Create<float>(values[at..]);
            var weights = Weights(part, max, scale);
            weights.CopyTo(values[at..]);
            sums += Widen(weights);
        }

        Span<float> rest = stackalloc float[Vector128<float>.Count];
        rest.Fill(float.NegativeInfinity);
        values[at..].CopyTo(rest);
        var last = Weights(Vector128.Create<float>(rest), max, scale);
        last.CopyTo(rest);
        rest[..(values.Length - at)].CopyTo(values[at..]);
        sums += Widen(last);
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    private static Vector128<float> Weights(Vector128<float> values, float max, double scale)
    {
        var x = (Widen(values) - Vector256.Create((double)max)) * scale;
        var live = Vector256.GreaterThanOrEqual(x, Vector256.Create(Smallest));
        x = Vector256.ConditionalSelect(live, x, Vector256<double>.Zero);

        // exp(x) = 2^k * exp(r), |r| <= ln(2) / 2
        var shifted = (x * Log2E) + Vector256.Create(RoundingShift);
        var k = shifted - Vector256.Create(RoundingShift);
        var r = x - (k * Ln2High) - (k * Ln2Low);
        var power = (shifted.AsInt64() << 52) + Vector256<double>.One.AsInt64();
        var result = Polynomial(r) * power.AsDouble();
        result = Vector256.ConditionalSelect(live, result, Vector256<double>.Zero);
        return Vector128.Create((float)result[0], (float)result[1], (float)result[2], (float)result[3]);
    }

    // Taylor's series to the eighth power: the first term left out is below 3e-10.
    private static Vector256<double> Polynomial(Vector256<double> r)
    {
        var sum = Vector256.Create(1.0 / 40320);
        sum = (sum * r) + Vector256.Create(1.0 / 5040);
        sum = (sum * r) + Vector256.Create(1.0 / 720);
        sum = (sum * r) + Vector256.Create(1.0 / 120);
        sum = (sum * r) + Vector256.Create(1.0 / 24);
        sum = (sum * r) + Vector256.Create(1.0 / 6);
        sum = (sum * r) + Vector256.Create(0.5);
        sum = (sum * r) + Vector256<double>.One;
        return (sum * r) + Vector256<double>.One;
    }

    private static Vector256<double> Widen(Vector128<float> values)
    {
        var (low, high) = Vector128.Widen(values);
        return Vector256.Create(low, high);
    }
}

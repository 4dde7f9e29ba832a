namespace LlavaCluster.Engine.Sampling;

/// <summary>A logarithm by the four operations only (no fused ones, no C library), so that every processor gets the same bits.</summary>
internal static class StableLog
{
    private const double Ln2 = 0.69314718055994530942;

    // log(m) = 2 atanh((m - 1) / (m + 1)); with m between sqrt(1/2) and sqrt(2) the first term left out is below 1e-18.
    private const int LastPower = 21;

    /// <summary>-log(1 - u): exponentially distributed where u is uniform in [0, 1).</summary>
    public static double Exponential(double uniform)
    {
        var mantissa = 1 - uniform;
        var exponent = 0;
        while (mantissa < 0.70710678118654752440)
        {
            mantissa *= 2;
            exponent++;
        }

        // Where nothing was doubled, 1 - m is u itself, with all of its bits.
        var z = exponent == 0 ? -uniform / (2 - uniform) : (mantissa - 1) / (mantissa + 1);
        var square = z * z;
        var sum = 0.0;
        for (var power = LastPower; power > 0; power -= 2)
        {
            sum = (sum * square) + (1.0 / power);
        }

        return (exponent * Ln2) - (2 * z * sum);
    }
}

namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// Draws an item with a probability in proportion to its weight: every item arrives after a time that is exponential with its weight as the rate,
/// and the first one wins. Each has a random number of its own, so weights that differ by rounding, as those of another batch or of a replayed answer
/// do, give another winner only where two arrivals all but coincide. (Inverting the cumulative distribution would move every boundary between items:
/// with a thousand of them, and with the rounding of single precision, one draw in twenty thousand came out differently.)
/// </summary>
/// <remarks>
/// The race is run in two heats: between groups of ids that follow each other, whose rate is the sum of their weights, and within the group that won.
/// That is the same distribution, with fewer random numbers.
/// </remarks>
internal static class ExponentialRace
{
    private const int GroupShift = 5;
    private const int GroupHeat = 1;
    private const int ItemHeat = 2;

    /// <summary>The index of the winner.</summary>
    /// <param name="ids">In rising order; they name the random numbers.</param>
    /// <param name="weights">At least one of them above 0.</param>
    public static int Winner(ReadOnlySpan<int> ids, ReadOnlySpan<float> weights, NoiseKey noise)
    {
        var (first, end) = WinningGroup(ids, weights, noise);
        var (winner, arrival) = (first, double.PositiveInfinity);
        for (var index = first; index < end; index++)
        {
            if (Beats(noise.Uniform(ids[index], ItemHeat), weights[index], ref arrival))
            {
                winner = index;
            }
        }

        return winner;
    }

    private static (int First, int End) WinningGroup(ReadOnlySpan<int> ids, ReadOnlySpan<float> weights, NoiseKey noise)
    {
        var (winner, arrival) = ((First: 0, End: 0), double.PositiveInfinity);
        for (var first = 0; first < ids.Length;)
        {
            var group = ids[first] >> GroupShift;
            var (end, sum) = (first, 0.0);
            for (; end < ids.Length && ids[end] >> GroupShift == group; end++)
            {
                sum += weights[end];
            }

            if (Beats(noise.Uniform(group, GroupHeat), sum, ref arrival))
            {
                winner = (first, end);
            }

            first = end;
        }

        return winner;
    }

    /// <summary>Whether an arrival is the earliest so far, which it then is.</summary>
    private static bool Beats(double uniform, double rate, ref double arrival)
    {
        // -log(1 - u) is at least u, which settles most arrivals without a logarithm.
        if (rate <= 0 || uniform >= arrival * rate)
        {
            return false;
        }

        var own = StableLog.Exponential(uniform) / rate;
        if (own >= arrival)
        {
            return false;
        }

        arrival = own;
        return true;
    }
}

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>Percentiles of times in seconds, interpolated between neighbours (Hyndman and Fan 1996, type 7).</summary>
internal sealed record Spread(double Median, double P95, double P99, double Largest, double Mean)
{
    /// <returns>Null for no times.</returns>
    public static Spread? Of(IEnumerable<TimeSpan> times)
    {
        var sorted = times.Select(time => time.TotalSeconds).Order().ToList();
        return sorted.Count == 0 ? null : new Spread(At(0.5), At(0.95), At(0.99), sorted[^1], sorted.Average());

        double At(double share)
        {
            var place = (sorted.Count - 1) * share;
            var below = (int)place;
            return sorted[below] + ((sorted[Math.Min(below + 1, sorted.Count - 1)] - sorted[below]) * (place - below));
        }
    }
}

using System.Globalization;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>A figure that was measured in several rounds.</summary>
internal sealed record Repeated(double Median, double Least, double Most)
{
    /// <returns>Null for no rounds.</returns>
    public static Repeated? Of(IEnumerable<double> rounds)
    {
        var sorted = rounds.Order().ToList();
        return sorted.Count == 0 ? null : new Repeated((sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2, sorted[0], sorted[^1]);
    }

    /// <summary>"median (least to most)", or "-" for none.</summary>
    public static string Print(Repeated? figure, string format)
    {
        return figure is null ? "-" : $"{Number(figure.Median)} ({Number(figure.Least)} to {Number(figure.Most)})";

        string Number(double value) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}

using LlavaCluster.Cli.Plots;
using ScottPlot;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>Throughput and latency of a run's levels against how much was asked at once.</summary>
internal static class LoadPlot
{
    /// <param name="file">Ends in .svg or .png.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(LoadReport report, string file)
    {
        using var plot = PlotFile.Begin();
        var levels = report.Levels.OrderBy(level => level.Size).ToList();
        Add(level => level.TokensPerSecond, "tokens/s", plot.Axes.Left);
        Add(level => level.FirstToken?.Median, "time to first token, p50", plot.Axes.Right);
        Add(level => level.FirstToken?.P99, "time to first token, p99", plot.Axes.Right);
        Add(level => level.Gap?.P99, "between two texts, p99", plot.Axes.Right);
        plot.Axes.Left.Label.Text = "tokens/s";
        plot.Axes.Right.Label.Text = "seconds";
        plot.Axes.Bottom.Label.Text = levels[0].Level.EndsWith("second", StringComparison.Ordinal) ? "chats begun in a second" : "chats at once";
        plot.Title($"{report.Model} at {report.Server}");
        plot.Axes.SetLimitsY(0, levels.Max(level => level.TokensPerSecond) * 1.1 + 1, plot.Axes.Left);
        plot.Axes.SetLimitsY(0, levels.Max(level => level.FirstToken?.P99 ?? 0) * 1.1 + 0.01, plot.Axes.Right);
        plot.ShowLegend(Alignment.UpperLeft);
        PlotFile.Save(plot, file);

        void Add(Func<LoadFigures, double?> figure, string name, IYAxis axis)
        {
            var points = levels.Where(level => figure(level) is not null).ToList();
            var line = plot.Add.Scatter(points.ConvertAll(level => level.Size), points.ConvertAll(level => figure(level)!.Value));
            line.LegendText = name;
            line.Axes.YAxis = axis;
        }
    }
}

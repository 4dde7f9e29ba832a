using LlavaCluster.Cli.Plots;

namespace LlavaCluster.Cli.Tuning;

/// <summary>A job's loss against its steps.</summary>
internal static class LossPlot
{
    /// <param name="file">Ends in .svg or .png.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(string title, IReadOnlyList<(double Step, double Loss)> losses, string file)
    {
        using var plot = PlotFile.Begin();
        plot.Add.Scatter(losses.Select(point => point.Step).ToArray(), losses.Select(point => point.Loss).ToArray());
        plot.Title(title);
        plot.Axes.Left.Label.Text = "loss a learned token";
        plot.Axes.Bottom.Label.Text = "step";
        plot.Axes.SetLimitsY(0, losses.Count == 0 ? 1 : losses.Max(point => point.Loss) * 1.1 + 0.01);
        PlotFile.Save(plot, file);
    }
}

using LlavaCluster.Cli.Plots;
using LlavaCluster.Training.Tuning;
using ScottPlot;

namespace LlavaCluster.Cli.Commands;

/// <summary>A run's losses by step, and the rate.</summary>
internal static class TuningPlot
{
    /// <param name="file">Ends in .svg or .png.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(LocalTuningResult result, string model, string file)
    {
        using var plot = PlotFile.Begin();
        Add([.. result.Steps.Select(step => (step.Step, step.Loss))], "loss", plot.Axes.Left);
        Add([.. result.Before is { } before ? [(0L, before.Loss)] : Array.Empty<(long, double)>(), .. result.Steps.Where(step => step.HeldOut is not null).Select(step => (step.Step, step.HeldOut!.Value))], "held out", plot.Axes.Left);
        Add([.. result.Steps.Select(step => (step.Step, step.LearningRate))], "learning rate", plot.Axes.Right);
        plot.Axes.Left.Label.Text = "loss";
        plot.Axes.Right.Label.Text = "learning rate";
        plot.Axes.Bottom.Label.Text = "step";
        plot.Title(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model))));
        plot.ShowLegend(Alignment.UpperRight);
        PlotFile.Save(plot, file);

        void Add((long Step, double Value)[] points, string name, IYAxis axis)
        {
            if (points.Length == 0)
            {
                return;
            }

            var line = plot.Add.Scatter(Array.ConvertAll(points, point => (double)point.Step), Array.ConvertAll(points, point => point.Value));
            line.LegendText = name;
            line.MarkerSize = points.Length > 50 ? 0 : 4;
            line.Axes.YAxis = axis;
        }
    }
}

using LlavaCluster.Cli.Plots;
using ScottPlot;

namespace LlavaCluster.Cli.Tuning;

/// <summary>A run's losses against its steps, and the learning rate on the right.</summary>
internal sealed record LossPlot(string Title)
{
    private const int MostMarked = 50;

    /// <summary>Mean a learned token, by step.</summary>
    public required IReadOnlyList<(double Step, double Value)> Losses { get; init; }

    public IReadOnlyList<(double Step, double Value)> HeldOut { get; init; } = [];

    public IReadOnlyList<(double Step, double Value)> Rates { get; init; } = [];

    /// <param name="file">Ends in .svg or .png.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Save(string file)
    {
        using var plot = PlotFile.Begin();
        Add(Losses, "loss", plot.Axes.Left);
        Add(HeldOut, "held out", plot.Axes.Left);
        Add(Rates, "learning rate", plot.Axes.Right);
        plot.Axes.Left.Label.Text = "loss a learned token";
        plot.Axes.Right.Label.Text = Rates.Count > 0 ? "learning rate" : "";
        plot.Axes.Bottom.Label.Text = "step";
        plot.Title(Title);
        plot.ShowLegend(Alignment.UpperRight);
        PlotFile.Save(plot, file);

        void Add(IReadOnlyList<(double Step, double Value)> points, string name, IYAxis axis)
        {
            if (points.Count == 0)
            {
                return;
            }

            var line = plot.Add.Scatter(points.Select(point => point.Step).ToArray(), points.Select(point => point.Value).ToArray());
            line.LegendText = name;
            line.MarkerSize = points.Count > MostMarked ? 0 : 4;
            line.Axes.YAxis = axis;
        }
    }
}

using System.Text.Json.Nodes;
using LlavaCluster.Cli.Commands;
using Spectre.Console;

namespace LlavaCluster.Cli.Tuning;

/// <summary>Shows a job to its end: as a live bar where a person looks on, as lines where none does.</summary>
internal sealed class JobWatch(Terminal terminal, TuningApi api)
{
    private readonly JobProgress _progress = new();

    /// <param name="plot">Where the loss curve goes; null: nowhere.</param>
    /// <returns>The exit code: 0 for a job that succeeded.</returns>
    public async Task<int> RunAsync(string job, string? plot, CancellationToken cancellationToken)
    {
        await (terminal.Interactive ? BarAsync(job, cancellationToken) : LinesAsync(job, cancellationToken));
        var ended = await api.GetAsync($"v1/fine_tuning/jobs/{job}", cancellationToken);
        if (plot is not null)
        {
            new LossPlot($"{ended["model"]}: {job}") { Losses = _progress.Losses }.Save(plot);
        }

        if ((string?)ended["status"] != "succeeded")
        {
            return terminal.Fail($"The job is {ended["status"]}. {ended["error"]?["message"]}".TrimEnd());
        }

        Line($"{ended["fine_tuned_model"]} answers: loss {TuningText.Number(ended["result"]?["base_loss"], "0.0000")} of the base, {TuningText.Number(ended["result"]?["adapter_loss"], "0.0000")} with the adapter.");
        return 0;
    }

    private async Task LinesAsync(string job, CancellationToken cancellationToken)
    {
        await foreach (var line in api.WatchAsync(job, cancellationToken))
        {
            Line($"{TuningText.Time(line["created_at"])} {(_progress.Take(line) ? _progress.Line : Told(line))}");
        }
    }

    private Task BarAsync(string job, CancellationToken cancellationToken) => terminal.Out.Progress()
        .Columns(new ProgressBarColumn(), new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
        .StartAsync(async context =>
        {
            var bar = context.AddTask(Markup.Escape(_progress.Line), maxValue: 1);
            await foreach (var line in api.WatchAsync(job, cancellationToken))
            {
                if (_progress.Take(line))
                {
                    bar.Value = _progress.Share;
                    bar.Description = Markup.Escape(_progress.Line);
                }
                else
                {
                    terminal.Out.MarkupLineInterpolated($"{Told(line)}");
                }
            }

            bar.StopTask();
        });

    private static string Told(JsonObject line) => (string?)line["level"] is "info" or null ? TuningText.Message(line) : $"{line["level"]}: {TuningText.Message(line)}";

    private void Line(string text) => terminal.Out.Profile.Out.Writer.WriteLine(text);
}

using System.Diagnostics;
using System.Globalization;
using LlavaCluster.Model.Weights;
using LlavaCluster.Cli.Tuning;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Tuning;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary>A fine-tuning run on this machine, with its report of the data, its progress and its plot.</summary>
internal sealed class TuneRun(Terminal terminal, TuneRequest request)
{
    private const int MostRecordsPrinted = 20;
    private const int Stopped = 130;
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10);

    /// <returns>The exit code.</returns>
    public int Execute(CancellationToken cancellationToken)
    {
        if (request.ShowOnly)
        {
            terminal.Out.WriteLine(request.Recipe.ToJson());
            return 0;
        }

        try
        {
            TorchSharp.torch.set_num_threads(request.Threads);
            using var data = OpenData(cancellationToken);
            return data is null ? 1 : Train(data, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return Stopped;
        }
        catch (Exception exception) when (exception is CheckpointException or ArgumentException or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return terminal.Fail(exception.Message);
        }
    }

    private ConversationDataset? OpenData(CancellationToken cancellationToken)
    {
        var encoder = TuningRun.EncoderFor(request.Model, request.Recipe);
        var (dataset, report) = ConversationDataset.Open(
            request.Data, request.Images is null ? PictureStore.None : PictureStore.Open(request.Images), encoder, request.Reading, cancellationToken: cancellationToken);
        Print(report);
        if (dataset is not null)
        {
            terminal.Out.WriteLine($"{dataset.Count} samples by the template {encoder.Template.Name}, digest {dataset.Digest[..16]}");
        }

        return dataset;
    }

    private void Print(DatasetReport report)
    {
        foreach (var bad in report.Details.Take(MostRecordsPrinted))
        {
            terminal.Error.WriteLine($"record {bad.Index}{(bad.Id is null ? "" : $" ({bad.Id})")}: {bad.Reason}");
        }

        if (report.Bad > 0)
        {
            var kinds = string.Join(", ", report.Counts.Select(count => $"{count.Value} {count.Key}"));
            terminal.Error.WriteLine($"{report.Bad} of {report.Records} records are bad: {kinds}.{(request.Reading.BadRecords == BadRecordPolicy.Skip ? "" : " Give --skip-bad to leave them out.")}");
        }
        else if (report.Records == 0)
        {
            terminal.Error.WriteLine($"{request.Data} holds no record.");
        }
    }

    private int Train(ConversationDataset data, CancellationToken cancellationToken)
    {
        using var run = new TuningRun(request.Model, request.Recipe, data, request.From);
        terminal.Out.WriteLine($"{run.TotalSteps} steps of {request.Recipe.GlobalBatch} samples, {run.Parameters.Length} numbers to train, {run.HeldOut} samples held out{(run.PackedBytes > 0 ? $", {run.PackedBytes >> 20} MB of the base in q8" : "")}");
        var local = new LocalTuning(run, request.Work, TimeProvider.System) { Note = terminal.Out.WriteLine };
        var result = terminal.Interactive ? WithBar(local, run.TotalSteps, cancellationToken) : WithLines(local, cancellationToken);
        if (request.Plot is { } file && result.Steps.Count > 0)
        {
            new LossPlot(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(request.Model))))
            {
                Losses = [.. result.Steps.Select(step => ((double)step.Step, step.Loss))],
                HeldOut = [.. result.Before is { } untrained ? [(0d, untrained.Loss)] : Array.Empty<(double, double)>(), .. result.Steps.Where(step => step.HeldOut is not null).Select(step => ((double)step.Step, step.HeldOut!.Value))],
                Rates = [.. result.Steps.Select(step => ((double)step.Step, step.LearningRate))],
            }.Save(file);
        }

        if (result.Divergence is { } divergence)
        {
            return terminal.Fail($"{divergence} The last checkpoint is as it was.");
        }

        if (!result.Complete)
        {
            terminal.Out.WriteLine($"Stopped; run the same command to go on from {request.Work}.");
            return Stopped;
        }

        run.Export(request.Out);
        if (result is { Before: { } before, After: { } after })
        {
            terminal.Out.WriteLine($"Held-out loss {before.Loss:0.0000} before, {after.Loss:0.0000} after.");
        }

        terminal.Out.WriteLine($"Written to {request.Out}.");
        using var process = Process.GetCurrentProcess();
        terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Peak memory {process.PeakWorkingSet64 >> 20} MB."));
        return 0;
    }

    private LocalTuningResult WithBar(LocalTuning local, long steps, CancellationToken cancellationToken) => terminal.Out.Progress()
        .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
        .Start(bars =>
        {
            var bar = bars.AddTask("loss", maxValue: steps);
            return local.Run(
                at =>
                {
                    bar.Value = at.Last.Step;
                    bar.Description = Text(at);
                },
                cancellationToken);
        });

    private LocalTuningResult WithLines(LocalTuning local, CancellationToken cancellationToken)
    {
        var printed = TimeSpan.MinValue;
        return local.Run(
            at =>
            {
                if (printed == TimeSpan.MinValue || at.Elapsed - printed >= LineEvery || at.Last.HeldOut is not null || at.Last.Step == at.TotalSteps)
                {
                    printed = at.Elapsed;
                    terminal.Out.WriteLine($"{Text(at)}  {at.Elapsed:h\\:mm\\:ss} elapsed, {at.Remaining:h\\:mm\\:ss} left");
                }
            },
            cancellationToken);
    }

    private static string Text(TuningProgress at) =>
        $"step {at.Last.Step}/{at.TotalSteps}  loss {at.Last.Loss:0.0000}  norm {at.Last.GradientNorm:0.00}  lr {at.Last.LearningRate:0.0e+0}  {at.TermsPerSecond:0} tokens/s{(at.Last.HeldOut is { } heldOut ? $"  held out {heldOut:0.0000}" : "")}";
}

using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Cli.Plots;
using LlavaCluster.Cli.Tuning;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava jobs</c>: fine-tuning on a cluster.</summary>
internal sealed class JobsCommand(Terminal terminal)
{
    private const string Jobs = "v1/fine_tuning/jobs";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static Command Create(Terminal terminal)
    {
        var jobs = new JobsCommand(terminal);
        return new Command("jobs", "Fine-tuning jobs of a cluster.")
        {
            new JobCreation(terminal).Create(),
            jobs.List(),
            jobs.Get(),
            jobs.Watch(),
            jobs.Change("cancel", "End a job."),
            jobs.Change("pause", "Stop a job after a checkpoint and keep it."),
            jobs.Change("resume", "Let a paused job go on."),
            jobs.Events(),
            jobs.Checkpoints(),
        };
    }

    private static Argument<string> Id() => new("job") { Description = "The job's id, as create prints it." };

    private static string PathOf(ParseResult parsed, Argument<string> id) => $"{Jobs}/{Uri.EscapeDataString(parsed.GetRequiredValue(id))}";

    private Command List() => new TuningCalls(terminal).Bind(new Command("list", "A tenant's jobs, the latest first."), async (_, api, cancellationToken) =>
    {
        var table = new Table().AddColumns("id", "model", "adapter", "status", "step", "created");
        await foreach (var job in api.ListAsync(Jobs, cancellationToken))
        {
            table.AddRow(
                new Text((string)job["id"]!),
                new Text((string)job["model"]!),
                new Text((string?)job["user_provided_suffix"] ?? ""),
                new Text((string)job["status"]!),
                new Text($"{job["step"]}/{job["total_steps"]}"),
                new Text(TuningText.Time(job["created_at"])));
        }

        terminal.Out.Write(table);
        return 0;
    });

    private Command Get()
    {
        var id = Id();
        return new TuningCalls(terminal).Bind(new Command("get", "All that is known of a job, as JSON.") { id }, async (parsed, api, cancellationToken) =>
        {
            Plain((await api.GetAsync(PathOf(parsed, id), cancellationToken)).ToJsonString(Indented));
            return 0;
        });
    }

    private Command Watch()
    {
        var id = Id();
        var plot = PlotFile.Option("--plot", "A .svg or .png file for the loss curve, written when the job ends.");
        return new TuningCalls(terminal).Bind(
            new Command("watch", "Show a job to its end: a live bar, or lines where the output is no terminal.") { id, plot },
            (parsed, api, cancellationToken) => new JobWatch(terminal, api).RunAsync(Uri.EscapeDataString(parsed.GetRequiredValue(id)), parsed.GetValue(plot), cancellationToken));
    }

    private Command Change(string name, string description)
    {
        var id = Id();
        return new TuningCalls(terminal).Bind(new Command(name, description) { id }, async (parsed, api, cancellationToken) =>
        {
            var job = await api.PostAsync($"{PathOf(parsed, id)}/{name}", null, cancellationToken);
            Plain($"{job["id"]} is {job["status"]}.");
            return 0;
        });
    }

    private Command Events()
    {
        var id = Id();
        return new TuningCalls(terminal).Bind(new Command("events", "What happened to a job so far.") { id }, async (parsed, api, cancellationToken) =>
        {
            await foreach (var line in api.ListAsync($"{PathOf(parsed, id)}/events?order=asc&limit=1000", cancellationToken))
            {
                Plain($"{TuningText.Time(line["created_at"])} {line["level"]}: {TuningText.Message(line)}");
            }

            return 0;
        });
    }

    private Command Checkpoints()
    {
        var id = Id();
        return new TuningCalls(terminal).Bind(new Command("checkpoints", "The checkpoints of a job that are kept, the latest first.") { id }, async (parsed, api, cancellationToken) =>
        {
            var table = new Table().AddColumns("step", "loss", "bytes", "stored");
            await foreach (var kept in api.ListAsync($"{PathOf(parsed, id)}/checkpoints", cancellationToken))
            {
                table.AddRow(new Text($"{kept["step_number"]}"), new Text(TuningText.Number(kept["metrics"]?["train_loss"], "0.0000")), new Text($"{kept["bytes"]}"), new Text(TuningText.Time(kept["created_at"])));
            }

            terminal.Out.Write(table);
            return 0;
        });
    }

    private void Plain(string line) => terminal.Out.Profile.Out.Writer.WriteLine(line);
}

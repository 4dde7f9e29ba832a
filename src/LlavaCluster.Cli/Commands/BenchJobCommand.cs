using System.CommandLine;
using LlavaCluster.Cli.Benchmarks.Jobs;
using LlavaCluster.Cli.Benchmarks.Load;
using Spectre.Console;
using static LlavaCluster.Cli.Commands.OptionBounds;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench job</c>: what a fine-tuning job costs the chats of its device, and they it, and how soon its adapter answers.</summary>
internal static class BenchJobCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(10);

    public static Command Create(Terminal terminal)
    {
        var chats = Count("--chats", 4, 4096, "Chats that stream at once.");
        var seconds = Count("--seconds", 20, 86_400, "Of each stretch: chats alone, the job alone, both, chats alone again.");
        var questions = Count("--questions", 64, 100_000, "Different questions.");
        var tokens = Count("--max-tokens", 64, 1 << 20, "Tokens of each answer.");
        var data = new Option<string?>("--data") { Description = "Conversations to train on, in a file; default: some are drawn." };
        var images = new Option<string?>("--images") { Description = "A zip of the pictures that they name." };
        var batch = Count("--batch-size", 4, 4096, "Samples of a step.");
        var micro = Count("--micro-batch", 1, 4096, "Samples that the trainer computes at once.");
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Chooses questions and pictures." };
        var file = new ReportFile();
        var command = new Command("job", "Time between tokens of chats without and beside a fine-tuning job, the job's pace, and the time from its end to the first token of its adapter.") { chats, seconds, questions, tokens, data, images, batch, micro, seed, file.Option };
        new MeasuredServer(terminal).Bind(command, async (parsed, http, cancellationToken) =>
        {
            var options = new JobBenchmarkOptions
            {
                AtOnce = parsed.GetValue(chats), Stretch = TimeSpan.FromSeconds(parsed.GetValue(seconds)), Data = parsed.GetValue(data), Pictures = parsed.GetValue(images), Batch = (parsed.GetValue(micro), parsed.GetValue(batch)),
                Load = new LoadOptions { Chats = parsed.GetValue(questions), Turns = 1, MaxTokens = parsed.GetValue(tokens), Words = 12, Pictures = PictureChoice.Own, Seed = parsed.GetValue(seed), Timeout = Timeout },
            };
            var report = await new JobBenchmark(http, await LoadClient.FirstModelAsync(http, cancellationToken), options, terminal.Error.WriteLine).RunAsync(cancellationToken);
            terminal.Out.Write(new Text(report.ToMarkdown()));
            await file.WriteAsync(parsed, report, cancellationToken);
            return 0;
        });
        return command;
    }
}

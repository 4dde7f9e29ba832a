using System.CommandLine;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Benchmarks.Switching;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Model.Config;
using Spectre.Console;
using static LlavaCluster.Cli.Commands.OptionBounds;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench adapters</c>: promotions and rollbacks of an adapter's versions while chats with its name stream; every answer is compared with its version's.</summary>
internal static class BenchAdaptersCommand
{
    private const int MostRank = 1024;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(10);

    public static Command Create(Terminal terminal)
    {
        var model = new Option<string>("--model") { DefaultValueFactory = _ => ServeOptions.ShippedModel, Description = "The folder of the model that the server serves; the random adapters get its shapes." };
        var chats = Count("--chats", 32, 4096, "Chats that stream at once.");
        var changes = Count("--changes", 200, 1_000_000, "Changes of the traffic: a version is put in use or on trial, or the last change is taken back.");
        var questions = Count("--questions", 32, 100_000, "Different questions; every version answers each alone first.");
        var tokens = Count("--max-tokens", 32, 1 << 20, "Tokens of each answer.");
        var ranks = new Option<int[]>("--rank") { DefaultValueFactory = _ => [4, 16, 32], Description = "Of the versions, one each; two at least.", AllowMultipleArgumentsPerToken = true };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Chooses versions, questions, pictures and changes." };
        ranks.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int[]>() is { } values && (values.Length < 2 || values.Any(rank => rank is < 1 or > MostRank)))
            {
                result.AddError($"--rank must be two or more from 1 to {MostRank}; was {string.Join(' ', values)}.");
            }
        });
        var file = new ReportFile();
        var command = new Command("adapters", "Changes an adapter's traffic under streaming chats and compares every answer with that of its version alone.") { model, chats, changes, questions, tokens, ranks, seed, file.Option };
        new MeasuredServer(terminal).Bind(command, async (parsed, http, cancellationToken) =>
        {
            var options = new SwitchOptions
            {
                Changes = parsed.GetValue(changes), AtOnce = parsed.GetValue(chats), Ranks = parsed.GetRequiredValue(ranks),
                Load = new LoadOptions { Chats = parsed.GetValue(questions), Turns = 1, MaxTokens = parsed.GetValue(tokens), Words = 12, Pictures = PictureChoice.Own, Seed = parsed.GetValue(seed), Timeout = Timeout },
            };
            var run = new SwitchRun(http, LlavaConfigReader.Read(parsed.GetRequiredValue(model)), await LoadClient.FirstModelAsync(http, cancellationToken), options, terminal.Error.WriteLine);
            var report = await run.RunAsync(cancellationToken);
            terminal.Out.Write(new Text(report.ToMarkdown()));
            await file.WriteAsync(parsed, report, cancellationToken);
            return report.Failed ? terminal.Fail("Requests failed, answers were not their version's, or questions were answered alike and tell nothing; it stands above.") : 0;
        });
        return command;
    }
}

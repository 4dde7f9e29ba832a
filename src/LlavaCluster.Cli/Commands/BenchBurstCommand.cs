using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using LlavaCluster.Cli.Benchmarks.Burst;
using LlavaCluster.Cli.Benchmarks.Load;
using Spectre.Console;
using static LlavaCluster.Cli.Commands.OptionBounds;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench burst</c>: what many new pictures at once do to the answers that a running server is streaming.</summary>
internal sealed class BenchBurstCommand
{
    private const int MostChats = 4096, MostTokens = 1 << 20;

    private readonly ServerAddress _server = new();
    private readonly Option<string?> _model = new("--model") { Description = "Its name there; the first that the server names, unless given." };
    private readonly Option<int> _streams = Count("--streams", 16, MostChats, "Chats without pictures that stream.");
    private readonly Option<int> _maxTokens = Count("--max-tokens", 512, MostTokens, "Tokens of each stream, which must outlast the burst and fit into the model's context; the end of text is ignored where the server can.");
    private readonly Option<int> _burst = Count("--burst", 16, MostChats, "Chats that come at once, each with a new picture.");
    private readonly Option<int> _burstTokens = Count("--burst-tokens", 8, MostTokens, "Tokens of each of their answers.");
    private readonly Option<int> _lead = Count("--lead", 16, MostTokens, "Pieces of text that every stream has had before the quiet time begins.");
    private readonly Option<int> _quiet = Count("--quiet", 64, MostTokens, "Pieces of text that every stream has in the quiet time at least; then the burst is sent.");
    private readonly Option<int> _words = Count("--words", 22, 100_000, "Words of each question.");
    private readonly Option<int> _rounds = Count("--rounds", 5, 1000, "Repetitions; medians are printed.");
    private readonly Option<int> _warmup = Count("--warmup", 1, 1000, "Rounds before the first, not counted.", least: 0);
    private readonly Option<int> _timeout = Count("--timeout-ms", 600_000, 86_400_000, "Of one answer; a later one has failed.");
    private readonly Option<int> _seed = new("--seed") { DefaultValueFactory = _ => 1, Description = "Chooses words and pictures; another seed finds nothing in caches." };
    private readonly ReportFile _file = new();

    private BenchBurstCommand()
    {
    }

    public static Command Create(Terminal terminal)
    {
        var burst = new BenchBurstCommand();
        var command = new Command("burst", "A burst of new pictures beside streaming chats on a running server, ours or another that speaks OpenAI's chat completions: times between the streams' tokens, quiet and under the burst.")
        {
            burst._model, burst._streams, burst._maxTokens, burst._burst, burst._burstTokens, burst._lead, burst._quiet, burst._words, burst._rounds, burst._warmup, burst._timeout, burst._seed, burst._file.Option,
        };
        burst._server.AddTo(command);
        command.SetAction((parsed, cancellationToken) => burst.RunAsync(parsed, terminal, cancellationToken));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken)
    {
        if (!_server.TryGet(parsed, out var address, out var refusal))
        {
            return terminal.Fail(refusal);
        }

        var options = Options(parsed);
        if (options.MaxTokens <= (long)options.Lead + options.Quiet)
        {
            return terminal.Fail($"--max-tokens must be above --lead and --quiet together, {(long)options.Lead + options.Quiet}; was {options.MaxTokens}.");
        }

        try
        {
            using var http = _server.Connect(parsed, address);
            var report = await MeasureAsync(parsed, terminal, options, http, cancellationToken);
            terminal.Out.Write(new Text(report.ToMarkdown()));
            await _file.WriteAsync(parsed, report, cancellationToken);
            return report.Errors.Count > 0 ? terminal.Fail("A round failed and was the last; its reasons stand above.") : 0;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException or JsonException)
        {
            return terminal.Fail(exception.Message);
        }
    }

    private async Task<BurstReport> MeasureAsync(ParseResult parsed, Terminal terminal, BurstOptions options, HttpClient http, CancellationToken cancellationToken)
    {
        var (warmup, rounds) = (parsed.GetValue(_warmup), parsed.GetValue(_rounds));
        var model = parsed.GetValue(_model) ?? await LoadClient.FirstModelAsync(http, cancellationToken);
        var run = new BurstRun(http, model, options);
        var measured = new List<BurstFigures>();
        for (var round = 0; round < warmup + rounds; round++)
        {
            switch (await run.RunAsync(round, cancellationToken))
            {
                case BurstRound.Failed failed:
                    return Report(failed.Reasons);
                case BurstRound.Measured { Figures: var figures } when round >= warmup:
                    measured.Add(figures);
                    terminal.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {measured.Count} of {rounds}: ITL p99 {figures.Quiet.Gap.P99 * 1e3:0.0} ms quiet, {figures.Burst.Gap.P99 * 1e3:0.0} ms under the burst"));
                    break;
            }
        }

        return Report([]);

        BurstReport Report(IReadOnlyList<string> errors) => new(http.BaseAddress!.AbsoluteUri, model, options, measured, errors);
    }

    private BurstOptions Options(ParseResult parsed) => new()
    {
        Streams = parsed.GetValue(_streams), MaxTokens = parsed.GetValue(_maxTokens), Burst = parsed.GetValue(_burst), BurstTokens = parsed.GetValue(_burstTokens),
        Lead = parsed.GetValue(_lead), Quiet = parsed.GetValue(_quiet), Words = parsed.GetValue(_words), Seed = parsed.GetValue(_seed), Timeout = TimeSpan.FromMilliseconds(parsed.GetValue(_timeout)),
    };
}

using System.CommandLine;
using System.Globalization;
using LlavaCluster.Cli.Benchmarks.Load;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench serve</c>: asks a running server as its clients would.</summary>
internal static class BenchServeCommand
{
    private const int MostChats = 100_000, MostAtOnce = 4096, MostWords = 100_000;

    private static readonly ServerAddress Server = new();
    private static readonly Option<string?> Model = new("--model") { Description = "Its name there; the first that the server names, unless given." };
    private static readonly Option<int[]> AtOnce = new("--concurrency") { DefaultValueFactory = _ => [1, 4, 16], Description = "Chats under way at once, a level each: the next begins when one ends.", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<double[]> Rates = new("--rate") { Description = "Instead: chats that begin in a second, as a Poisson process, a level each.", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<int> Chats = Count("--chats", 32, MostChats, "Chats of a level.");
    private static readonly Option<int> Warmup = Count("--warmup", 1, MostChats, "Chats before the first level, not counted.", least: 0);
    private static readonly Option<int> Turns = Count("--turns", 1, 100, "Questions of a chat.");
    private static readonly Option<int> MaxTokens = Count("--max-tokens", 64, 1 << 20, "Tokens of each answer; the end of text is ignored where the server can.");
    private static readonly Option<int> Words = Count("--words", 22, MostWords, "Words of each question.");
    private static readonly Option<string> Pictures = new("--pictures") { DefaultValueFactory = _ => "own", Description = "own: each chat begins with a picture of its own; same: all with one picture; none." };
    private static readonly Option<string[]> Files = new("--image") { Description = "Pictures to send in turn instead of drawn ones.", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<double> FirstTokenWithin = Milliseconds("--ttft-ms", 2000, "Time to first token that still counts as good.");
    private static readonly Option<double> TokenWithin = Milliseconds("--tpot-ms", 200, "Mean time per further token that still counts as good.");
    private static readonly Option<double> Timeout = Milliseconds("--timeout-ms", 600_000, "Of one answer; a later one has failed.");
    private static readonly Option<int> Seed = new("--seed") { DefaultValueFactory = _ => 1, Description = "Chooses words and pictures; another seed finds nothing in caches." };
    private static readonly Option<string?> Out = new("--out") { Description = "A JSON file for every figure." };
    private static readonly Option<string?> Plot = new("--plot") { Description = "A .svg or .png file: throughput and latency against the levels." };

    public static Command Create(Terminal terminal)
    {
        Pictures.AcceptOnlyFromAmong("own", "same", "none");
        var command = new Command("serve", "Load on a running server, ours or another that speaks OpenAI's chat completions: throughput, times to first and further tokens, goodput.")
        {
            Model, AtOnce, Rates, Chats, Warmup, Turns, MaxTokens, Words, Pictures, Files, FirstTokenWithin, TokenWithin, Timeout, Seed, Out, Plot,
        };
        Server.AddTo(command);
        command.Validators.Add(result =>
        {
            foreach (var chats in (result.GetValue(AtOnce) ?? []).Where(chats => chats is < 1 or > MostAtOnce))
            {
                result.AddError($"--concurrency must be from 1 to {MostAtOnce}; was {chats}.");
            }

            foreach (var rate in (result.GetValue(Rates) ?? []).Where(rate => rate is not (> 0 and <= 10_000)))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"--rate must be above 0 and at most 10000; was {rate}."));
            }

            if (result.GetValue(Plot) is { } plot && !plot.EndsWith(".svg", StringComparison.OrdinalIgnoreCase) && !plot.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
            {
                result.AddError($"--plot must end in .svg or .png; was \"{plot}\".");
            }
        });
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, terminal, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken)
    {
        if (!Server.TryGet(parsed, out var address, out var refusal))
        {
            return terminal.Fail(refusal);
        }

        try
        {
            var options = Options(parsed);
            var root = address.AbsoluteUri;
            using var http = new HttpClient { BaseAddress = new Uri(root.EndsWith('/') ? root : root + "/"), Timeout = System.Threading.Timeout.InfiniteTimeSpan }; // each request has its own
            if (Server.Key(parsed) is { } key)
            {
                http.DefaultRequestHeaders.Authorization = new("Bearer", key);
            }

            var report = await MeasureAsync(http, parsed, options, terminal, cancellationToken);
            terminal.Out.Write(new Text(report.ToMarkdown()));
            if (parsed.GetValue(Out) is { } file)
            {
                await using var stream = File.Create(file);
                await report.WriteJsonAsync(stream, cancellationToken);
            }

            if (parsed.GetValue(Plot) is { } plot)
            {
                LoadPlot.Save(report, plot);
            }

            return report.Failed ? terminal.Fail("Some requests failed; their reasons stand above.") : 0;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            return terminal.Fail(exception.Message);
        }
    }

    private static async Task<LoadReport> MeasureAsync(HttpClient http, ParseResult parsed, LoadOptions options, Terminal terminal, CancellationToken cancellationToken)
    {
        var model = parsed.GetValue(Model) ?? await LoadClient.FirstModelAsync(http, cancellationToken);
        var pictures = new LoadPictures(options);
        var next = 0; // no level asks what one before it asked
        if (parsed.GetValue(Warmup) is > 0 and var warmup)
        {
            await RunAsync(new LoadLevel.Closed(1), warmup);
        }

        LoadLevel[] levels = parsed.GetValue(Rates) is { Length: > 0 } rates
            ? [.. rates.Select(rate => new LoadLevel.Poisson(rate))]
            : [.. parsed.GetRequiredValue(AtOnce).Select(chats => new LoadLevel.Closed(chats))];
        var figures = new List<LoadFigures>();
        foreach (var level in levels)
        {
            var requests = await RunAsync(level, options.Chats);
            figures.Add(LoadFigures.Of(level, requests, options));
            terminal.Error.WriteLine($"{level}: {requests.Count} requests");
        }

        return new LoadReport(http.BaseAddress!.AbsoluteUri, model, options, figures);

        async Task<IReadOnlyList<LoadRequest>> RunAsync(LoadLevel level, int chats)
        {
            var run = new LoadRun(http, model, options with { FirstChat = next, Chats = chats }, pictures, TimeProvider.System);
            next += chats;
            return await run.RunAsync(level, cancellationToken);
        }
    }

    private static LoadOptions Options(ParseResult parsed) => new()
    {
        Chats = parsed.GetValue(Chats), Turns = parsed.GetValue(Turns), MaxTokens = parsed.GetValue(MaxTokens), Words = parsed.GetValue(Words), Seed = parsed.GetValue(Seed),
        Pictures = Enum.Parse<PictureChoice>(parsed.GetRequiredValue(Pictures), ignoreCase: true), Files = parsed.GetValue(Files) ?? [],
        Timeout = TimeSpan.FromMilliseconds(parsed.GetValue(Timeout)), FirstTokenWithin = TimeSpan.FromMilliseconds(parsed.GetValue(FirstTokenWithin)), TokenWithin = TimeSpan.FromMilliseconds(parsed.GetValue(TokenWithin)),
    };

    private static Option<int> Count(string name, int usual, int most, string description, int least = 1)
    {
        var option = new Option<int>(name) { DefaultValueFactory = _ => usual, Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is var value && (value < least || value > most))
            {
                result.AddError($"{name} must be from {least} to {most}; was {value}.");
            }
        });
        return option;
    }

    private static Option<double> Milliseconds(string name, double usual, string description)
    {
        var option = new Option<double>(name) { DefaultValueFactory = _ => usual, Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is var value && value is not (> 0 and <= 86_400_000))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} must be above 0 and at most 86400000; was {value}."));
            }
        });
        return option;
    }
}

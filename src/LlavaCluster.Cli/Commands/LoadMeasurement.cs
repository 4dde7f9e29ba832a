using System.CommandLine;
using System.Globalization;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Plots;
using Spectre.Console;
using static LlavaCluster.Cli.Commands.OptionBounds;

namespace LlavaCluster.Cli.Commands;

/// <summary>The options of commands that load something with chats, and the run itself.</summary>
internal sealed class LoadMeasurement
{
    private const int MostChats = 100_000, MostAtOnce = 4096, MostWords = 100_000;

    private readonly Option<int[]> _atOnce = new("--concurrency") { DefaultValueFactory = _ => [1, 4, 16], Description = "Chats under way at once, a level each: the next begins when one ends.", AllowMultipleArgumentsPerToken = true };
    private readonly Option<double[]> _rates = new("--rate") { Description = "Instead: chats that begin in a second, as a Poisson process, a level each.", AllowMultipleArgumentsPerToken = true };
    private readonly Option<int> _chats = Count("--chats", 32, MostChats, "Chats of a level.");
    private readonly Option<int> _warmup = Count("--warmup", 1, MostChats, "Chats before the first level, not counted.", least: 0);
    private readonly Option<int> _turns = Count("--turns", 1, 100, "Questions of a chat.");
    private readonly Option<int> _maxTokens = Count("--max-tokens", 64, 1 << 20, "Tokens of each answer; the end of text is ignored where the server can.");
    private readonly Option<int> _words = Count("--words", 22, MostWords, "Words of each question.");
    private readonly Option<string> _pictures = new("--pictures") { DefaultValueFactory = _ => "own", Description = "own: each chat begins with a picture of its own; same: all with one picture; none." };
    private readonly Option<string[]> _files = new("--image") { Description = "Pictures to send in turn instead of drawn ones.", AllowMultipleArgumentsPerToken = true };
    private readonly Option<double> _firstTokenWithin = Milliseconds("--ttft-ms", 2000, "Time to first token that still counts as good.");
    private readonly Option<double> _tokenWithin = Milliseconds("--tpot-ms", 200, "Mean time per further token that still counts as good.");
    private readonly Option<double> _timeout = Milliseconds("--timeout-ms", 600_000, "Of one answer; a later one has failed.");
    private readonly Option<int> _seed = new("--seed") { DefaultValueFactory = _ => 1, Description = "Chooses words and pictures; another seed finds nothing in caches." };
    private readonly ReportFile _file = new();
    private readonly Option<string?> _plot = PlotFile.Option("--plot", "A .svg or .png file: throughput and latency against the levels.");

    /// <param name="plots">Whether the command can draw what it measured.</param>
    public void AddTo(Command command, bool plots = true)
    {
        _pictures.AcceptOnlyFromAmong("own", "same", "none");
        foreach (var option in (Option[])[_atOnce, _rates, _chats, _warmup, _turns, _maxTokens, _words, _pictures, _files, _firstTokenWithin, _tokenWithin, _timeout, _seed, _file.Option])
        {
            command.Add(option);
        }

        if (plots)
        {
            command.Add(_plot);
        }

        command.Validators.Add(result =>
        {
            foreach (var chats in (result.GetValue(_atOnce) ?? []).Where(chats => chats is < 1 or > MostAtOnce))
            {
                result.AddError($"--concurrency must be from 1 to {MostAtOnce}; was {chats}.");
            }

            foreach (var rate in (result.GetValue(_rates) ?? []).Where(rate => rate is not (> 0 and <= 10_000)))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"--rate must be above 0 and at most 10000; was {rate}."));
            }
        });
    }

    public LoadOptions Options(ParseResult parsed) => new()
    {
        Chats = parsed.GetValue(_chats), Turns = parsed.GetValue(_turns), MaxTokens = parsed.GetValue(_maxTokens), Words = parsed.GetValue(_words), Seed = parsed.GetValue(_seed),
        Pictures = Enum.Parse<PictureChoice>(parsed.GetRequiredValue(_pictures), ignoreCase: true), Files = parsed.GetValue(_files) ?? [],
        Timeout = TimeSpan.FromMilliseconds(parsed.GetValue(_timeout)), FirstTokenWithin = TimeSpan.FromMilliseconds(parsed.GetValue(_firstTokenWithin)), TokenWithin = TimeSpan.FromMilliseconds(parsed.GetValue(_tokenWithin)),
    };

    /// <summary>Runs every level, prints and writes what is asked for, and gives the exit code.</summary>
    /// <exception cref="IOException">A picture cannot be read or a file not written.</exception>
    public async Task<int> RunAsync(ParseResult parsed, Terminal terminal, LoadOptions options, ILoadTarget target, CancellationToken cancellationToken)
    {
        var report = await MeasureAsync(parsed, terminal, options, target, cancellationToken);
        terminal.Out.Write(new Text(report.ToMarkdown()));
        await WriteAsync(parsed, report, cancellationToken);
        if (parsed.GetValue(_plot) is { } plot)
        {
            LoadPlot.Save(report, plot);
        }

        return report.Failed ? terminal.Fail("Some requests failed; their reasons stand above.") : 0;
    }

    /// <summary>Writes a report where a file was asked for.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public Task WriteAsync<T>(ParseResult parsed, T report, CancellationToken cancellationToken) => _file.WriteAsync(parsed, report, cancellationToken);

    /// <summary>Runs every level.</summary>
    /// <exception cref="IOException">A picture cannot be read.</exception>
    public async Task<LoadReport> MeasureAsync(ParseResult parsed, Terminal terminal, LoadOptions options, ILoadTarget target, CancellationToken cancellationToken)
    {
        var pictures = new LoadPictures(options);
        var next = 0; // no level asks what one before it asked
        if (parsed.GetValue(_warmup) is > 0 and var warmup)
        {
            await RunAsync(new LoadLevel.Closed(1), warmup);
        }

        LoadLevel[] levels = parsed.GetValue(_rates) is { Length: > 0 } rates
            ? [.. rates.Select(rate => new LoadLevel.Poisson(rate))]
            : [.. parsed.GetRequiredValue(_atOnce).Select(chats => new LoadLevel.Closed(chats))];
        var figures = new List<LoadFigures>();
        foreach (var level in levels)
        {
            var requests = await RunAsync(level, options.Chats);
            figures.Add(LoadFigures.Of(level, requests, options));
            terminal.Error.WriteLine($"{level}: {requests.Count} requests");
        }

        return new LoadReport(target.Name, target.Model, options, figures);

        async Task<IReadOnlyList<LoadRequest>> RunAsync(LoadLevel level, int chats)
        {
            var run = new LoadRun(target, options with { FirstChat = next, Chats = chats }, pictures);
            next += chats;
            return await run.RunAsync(level, new LoadClock(TimeProvider.System), cancellationToken);
        }
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

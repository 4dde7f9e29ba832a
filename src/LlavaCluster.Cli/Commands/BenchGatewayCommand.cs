using System.CommandLine;
using System.Globalization;
using System.Net;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Benchmarks.Streams;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Hosting;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench gateway</c>: many streams through gateway, grains and journal from an engine whose tokens cost nothing, all in this process.</summary>
internal static class BenchGatewayCommand
{
    private const int WarmupSeconds = 2;

    public static Command Create(Terminal terminal)
    {
        var streams = new Option<int>("--streams") { DefaultValueFactory = _ => 1000, Description = "Answers that are streamed at once." }.Within(1, 10_000);
        var rate = new Option<int>("--rate") { DefaultValueFactory = _ => 20, Description = "Tokens a second of each." }.Within(1, 1000);
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 20, Description = "How long each lasts." }.Within(1, 3600);
        var file = new ReportFile();
        var command = new Command("gateway", "What gateway, grains and journal add to each token: many streams from an engine without a model, over loopback, client and server in this process.") { streams, rate, seconds, file.Option };
        command.SetAction((parsed, cancellationToken) => RunAsync(terminal, parsed.GetValue(streams), parsed.GetValue(rate), parsed.GetValue(seconds), report => file.WriteAsync(parsed, report, cancellationToken), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(Terminal terminal, int streams, int rate, int seconds, Func<object, Task> write, CancellationToken cancellationToken)
    {
        var data = Directory.CreateTempSubdirectory("llava-bench-gateway-").FullName;
        try
        {
            var clock = new LoadClock(TimeProvider.System);
            await using var server = Server.Build(Options(data), new PacedEngine(rate, clock));
            var address = await server.StartAsync(cancellationToken);
            using var http = new HttpClient { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
            await AskAsync(streams, WarmupSeconds * rate, firstChat: streams);
            var before = Environment.CpuUsage.TotalTime;
            var requests = await AskAsync(streams, seconds * rate, firstChat: 0);
            var spent = Environment.CpuUsage.TotalTime - before;
            return await ReportAsync(terminal, streams, rate, requests, spent, write);

            async Task<IReadOnlyList<LoadRequest>> AskAsync(int chats, int tokens, int firstChat)
            {
                var options = Load(chats, tokens, firstChat);
                var run = new LoadRun(new LoadClient(http, PacedEngine.ModelName, options), options, new LoadPictures(options));
                return await run.RunAsync(new LoadLevel.Closed(chats), clock, cancellationToken);
            }
        }
        catch (Exception exception) when (exception is ClusterStartException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return terminal.Fail(exception.Message);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    private static async Task<int> ReportAsync(Terminal terminal, int streams, int rate, IReadOnlyList<LoadRequest> requests, TimeSpan spent, Func<object, Task> write)
    {
        var failed = requests.Where(request => request.Error is not null).ToList();
        var (firstToken, added) = (Spread.Of(requests.Except(failed).Select(request => request.FirstToken)), AddedLatency.Of(requests));
        var perToken = spent.TotalMicroseconds / Math.Max(1, requests.Sum(request => request.Tokens));
        Line($"| streams | tokens/s each | tokens/s | added to a token p50 / p95 / p99 / worst | TTFT p50 / p99, all beginning at once | CPU a token, client included |");
        Line($"|---|---|---|---|---|---|");
        Line($"| {streams} ({failed.Count} failed) | {rate} | {added?.TokensPerSecond:0} | {Times(added?.Times.Median, added?.Times.P95, added?.Times.P99, added?.Times.Largest)} | {Times(firstToken?.Median, firstToken?.P99)} | {perToken:0} µs |");
        await write(new { streams, rate, failed = failed.Count, added, firstToken, cpuMicrosecondsPerToken = perToken, processors = Environment.ProcessorCount });
        return failed.Count > 0 ? terminal.Fail(string.Join(Environment.NewLine, failed.Select(request => request.Error).Distinct().Take(5))) : 0;

        void Line(FormattableString text) => terminal.Out.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static string Times(params double?[] seconds) => LoadReport.Times(seconds);

    private static ServeOptions Options(string data) => new()
    {
        Role = ClusterRole.All, Model = PacedEngine.ModelName, Weights = "auto", Data = data, EndPoint = new IPEndPoint(IPAddress.Loopback, 0), SiloPort = 0, Threads = 1, KvBytes = 1,
    };

    private static LoadOptions Load(int chats, int tokens, int firstChat) => new()
    {
        Chats = chats, FirstChat = firstChat, Turns = 1, MaxTokens = tokens, Words = 22, Pictures = PictureChoice.None, Seed = 1,
        Timeout = TimeSpan.FromHours(2),
    };
}

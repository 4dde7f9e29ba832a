using System.Net;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Hosting;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench burst</c> against a whole server with the shipped model, and against the real gateway over scripted conversations.</summary>
public sealed class BenchBurstCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-burst-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Rounds_OfARealServer_HaveEveryFigure()
    {
        await using var server = Server.Build(new ServeOptions
        {
            Role = ClusterRole.All, Model = ServeOptions.ShippedModel, Weights = "auto", Data = Path.Combine(_folder, "data"), EndPoint = new IPEndPoint(IPAddress.Loopback, 0), SiloPort = 0,
            Threads = 2, KvBytes = 64 << 20, Guesses = 0, // a guess come true would make the streams shorter
        });
        var (address, file) = (await server.StartAsync(Cancel), Path.Combine(_folder, "burst.json"));

        // A burst of two takes some dozens of steps, each a token of every stream.
        var (code, printed, errors) = await RunAsync(address, "--streams", "2", "--burst", "2", "--rounds", "2", "--warmup", "0", "--max-tokens", "1000", "--burst-tokens", "2", "--lead", "2", "--quiet", "4", "--out", file);

        Assert.True(code == 0, printed + errors);
        Assert.Contains("2 streams of 1000 tokens, 2 pictures at once, 2 rounds; medians (least to most)", printed, StringComparison.Ordinal);
        Assert.All(["quiet", "under the burst", "after it", "under the burst / quiet"], row => Assert.Matches($@"\| {row} \| [0-9.]+ \([0-9.]+ to [0-9.]+\) \|", printed));
        Assert.Matches(@"TTFT of the burst, ms: p50 [0-9.]+ \(.*\), worst [0-9.]+ \(", printed);

        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(file, Cancel));
        var rounds = json.RootElement.GetProperty("rounds").EnumerateArray().ToList();
        Assert.Equal(2, rounds.Count);
        Assert.All(rounds, round => Assert.True(round.GetProperty("gapRatio").GetDouble() > 0 && round.GetProperty("quiet").GetProperty("tokensPerSecond").GetDouble() > 0));
    }

    [Fact]
    public async Task Streams_EndedBeforeTheirQuietTime_AreAnErrorAndNoFigures()
    {
        await using var server = await GatewayServer.StartAsync();

        var (code, printed, errors) = await RunAsync(server.Address, "--streams", "2", "--lead", "2", "--quiet", "2", "--max-tokens", "64");

        Assert.Equal(1, code);
        Assert.Equal("failed: A stream ended after 3 pieces of text, before each had had the 4 of --lead and --quiet: --max-tokens must be larger; was 64.", printed.Trim());
        Assert.Contains("A round failed", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Streams_EndedBeforeTheBurstWasServed_AreAnErrorAndNoFigures()
    {
        await using var server = await GatewayServer.StartAsync();

        var (code, printed, _) = await RunAsync(server.Address, "--streams", "1", "--burst", "3", "--lead", "1", "--quiet", "2", "--max-tokens", "64", "--warmup", "0");

        Assert.Equal(1, code);
        Assert.Matches("^failed: The streams must outlast the burst, but one ended [0-9.]+ s before .*; were 64 and 3.$", printed.Trim());
        var begun = server.Script.Begun.ToList();
        Assert.Equal([(64, 1), (8, 3)], begun.GroupBy(turn => turn.Options.MaxTokens, (tokens, turns) => (tokens, turns.Count())).OrderByDescending(group => group.tokens));
        Assert.All(begun, turn => Assert.True(turn.Options.IgnoreEos));
        Assert.Equal(3, begun.SelectMany(turn => turn.Messages).SelectMany(message => message.Parts).Select(part => part.Image).OfType<ImageId>().Distinct().Count());
    }

    [Fact]
    public async Task Burst_ThatIsRefused_IsSaidWhyAndNoFigures()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Script.BeforeBegin = _ =>
        {
            server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "requests a minute must be <= 1; 1 was begun."); // after the stream
            return Task.CompletedTask;
        };

        var (code, printed, _) = await RunAsync(server.Address, "--streams", "1", "--burst", "2", "--lead", "1", "--quiet", "2");

        Assert.Equal(1, code);
        Assert.StartsWith("failed: HTTP 429: ", printed, StringComparison.Ordinal);
        Assert.DoesNotContain("quiet", printed, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--streams", "0", "--streams must be from 1 to 4096; was 0.")]
    [InlineData("--burst", "4097", "--burst must be from 1 to 4096; was 4097.")]
    [InlineData("--rounds", "0", "--rounds must be from 1 to 1000; was 0.")]
    [InlineData("--max-tokens", "0", "--max-tokens must be from 1 to 1048576; was 0.")]
    public void BadOptions_NameTheBoundAndTheValue(string option, string value, string message) =>
        Assert.Contains(CommandLine.Parse("bench", "burst", option, value).Errors, error => error.Message == message);

    [Fact]
    public async Task Streams_ThatCannotHaveTheirQuietTime_NameTheBoundAndTheValue()
    {
        var (code, _, errors) = await RunAsync(new Uri("http://127.0.0.1:1"), "--max-tokens", "80");

        Assert.Equal((1, "--max-tokens must be above --lead and --quiet together, 80; was 80."), (code, errors.Trim()));
    }

    private static Task<(int Code, string Printed, string Errors)> RunAsync(Uri address, params string[] options) =>
        CommandLine.RunAsync(["bench", "burst", "--url", address.AbsoluteUri, .. options], Cancel);
}

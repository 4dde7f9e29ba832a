using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench serve</c> against the real gateway over scripted conversations.</summary>
public sealed class BenchServeCommandTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-bench-").FullName;
    private GatewayServer _server = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await GatewayServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Levels_AskNothingTwiceAndGiveARowEach()
    {
        var (json, plot) = (Path.Combine(_folder, "load.json"), Path.Combine(_folder, "load.svg"));
        var (code, printed, errors) = await RunAsync("--concurrency", "1", "3", "--chats", "3", "--turns", "2", "--out", json, "--plot", plot);

        Assert.True(code == 0, errors);
        Assert.Contains("| 1 at once | 6 (0) |", printed, StringComparison.Ordinal);
        Assert.Contains("| 3 at once | 6 (0) |", printed, StringComparison.Ordinal);
        Assert.Contains("TTFT p50 by turn: 1 at once: ", printed, StringComparison.Ordinal);

        var begun = _server.Script.Begun.ToList();
        Assert.Equal(14, begun.Count); // two of warming up
        Assert.Equal(7, begun.SelectMany(turn => turn.Messages).SelectMany(message => message.Parts).Select(part => part.Image).OfType<ImageId>().Distinct().Count());
        Assert.Equal(7, begun.Count(turn => turn.Messages.Length == 3 && turn.Messages[1].Parts.Single().Text == "A red apple."));
        Assert.All(begun, turn => Assert.Equal((64, true), (turn.Options.MaxTokens, turn.Options.IgnoreEos)));

        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(json, Cancel));
        var levels = document.RootElement.GetProperty("levels").EnumerateArray().ToList();
        Assert.Equal([1.0, 3.0], levels.Select(level => level.GetProperty("size").GetDouble()));
        Assert.All(levels, level => Assert.Equal((20, 3.0), (level.GetProperty("promptTokens").GetInt32(), Math.Round(level.GetProperty("tokensPerSecond").GetDouble() * level.GetProperty("seconds").GetDouble() / 6, 9))));
        Assert.Contains("<svg", await File.ReadAllTextAsync(plot, Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Poisson_BeginsAllChatsWhateverIsFinished()
    {
        var plot = Path.Combine(_folder, "load.png");
        var (code, printed, errors) = await RunAsync("--rate", "1000", "--chats", "4", "--warmup", "0", "--pictures", "same", "--plot", plot);

        Assert.True(code == 0, errors);
        Assert.Contains("| 1000 a second | 4 (0) |", printed, StringComparison.Ordinal);
        Assert.Single(_server.Script.Begun.SelectMany(turn => turn.Messages).SelectMany(message => message.Parts).Select(part => part.Image).OfType<ImageId>().Distinct());
        Assert.Equal([0x89, 0x50, 0x4E, 0x47], (await File.ReadAllBytesAsync(plot, Cancel))[..4]);
    }

    [Fact]
    public async Task Refusals_AreCountedAndSaidWhy()
    {
        _server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "requests a minute must be <= 1; 1 was begun.");
        var (code, printed, errors) = await RunAsync("--concurrency", "2", "--chats", "3", "--turns", "2", "--warmup", "0");

        Assert.Equal(1, code);
        Assert.Contains("| 2 at once | 3 (3) |", printed, StringComparison.Ordinal);
        Assert.Contains("failed: HTTP 429: ", printed, StringComparison.Ordinal);
        Assert.Contains("requests a minute must be", printed, StringComparison.Ordinal);
        Assert.Contains("Some requests failed", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--concurrency", "0", "--concurrency must be from 1 to 4096; was 0.")]
    [InlineData("--rate", "-2", "--rate must be above 0 and at most 10000; was -2.")]
    [InlineData("--chats", "0", "--chats must be from 1 to 100000; was 0.")]
    [InlineData("--ttft-ms", "NaN", "--ttft-ms must be above 0 and at most 86400000; was NaN.")]
    [InlineData("--plot", "load.pdf", "--plot must end in .svg or .png; was \"load.pdf\".")]
    public void BadOptions_NameTheBoundAndTheValue(string option, string value, string message) =>
        Assert.Contains(CommandLine.Parse("bench", "serve", option, value).Errors, error => error.Message == message);

    private Task<(int Code, string Printed, string Errors)> RunAsync(params string[] options) =>
        CommandLine.RunAsync(["bench", "serve", "--url", _server.Address.AbsoluteUri, .. options], Cancel);
}

using LlavaCluster.Cli.Serving;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench engine</c> on the shipped model.</summary>
public sealed class BenchEngineCommandTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Levels_AreAnsweredWholeAndFindTheFirstTurnCached()
    {
        var (code, printed, errors) = await CommandLine.RunAsync(
            ["bench", "engine", "--model", ServeOptions.ShippedModel, "--threads", "2", "--kv-mb", "64", "--concurrency", "2", "--chats", "2", "--warmup", "0", "--turns", "2", "--max-tokens", "8", "--words", "6"], Cancel);

        Assert.True(code == 0, errors);
        var row = printed.Split('\n').Single(line => line.StartsWith("| 2 at once | 4 (0) |", StringComparison.Ordinal));
        Assert.Matches(@"\([1-9][0-9]*\) \|$", row.TrimEnd()); // cached tokens of the prompts
    }

    [Fact]
    public async Task Model_ThatIsNone_IsRefusedWithItsFolder()
    {
        var (code, _, errors) = await CommandLine.RunAsync(["bench", "engine", "--model", "/nowhere/at/all"], Cancel);

        Assert.Equal(1, code);
        Assert.Contains("/nowhere/at/all", errors, StringComparison.Ordinal);
    }
}

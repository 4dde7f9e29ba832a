using LlavaCluster.Cli.Serving;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava bench device</c> with adapters, on the shipped model.</summary>
public sealed class BenchDeviceCommandTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Adapters_AreMeasuredBesideTheBase()
    {
        var (code, printed, errors) = await CommandLine.RunAsync(
            ["bench", "device", "--model", ServeOptions.ShippedModel, "--threads", "1", "--batch", "1", "--context", "16", "--prompt", "16", "--rounds", "1", "--adapters", "3", "--ranks", "2..5"], Cancel);

        Assert.True(code == 0, errors);
        var row = printed.Split('\n').Single(line => line.StartsWith("| the same with 3 adapters of ranks 2 to 5, ", StringComparison.Ordinal));
        Assert.Matches(@"[1-9][0-9]*\.[0-9] tokens/s \| [0-9]+\.[0-9]{2} of the base's \|$", row.TrimEnd());
    }

    [Theory]
    [InlineData("32..4")]
    [InlineData("0..4")]
    [InlineData("4")]
    public void Ranks_OutOfOrder_AreRefusedWithTheRule(string ranks) => Assert.Equal(
        $"--ranks must be FIRST..LAST with 1 <= FIRST <= LAST <= 1024; was {ranks}.",
        Assert.Single(CommandLine.Parse("bench", "device", "--adapters", "2", "--ranks", ranks).Errors).Message);
}

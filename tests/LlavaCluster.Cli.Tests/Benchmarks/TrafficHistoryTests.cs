using LlavaCluster.Cli.Benchmarks.Switching;

namespace LlavaCluster.Cli.Tests.Benchmarks;

public sealed class TrafficHistoryTests
{
    // a to 10..12, then a with b on trial to 20..21, then b.
    private static readonly TrafficHistory History = Make();

    [Theory]
    [InlineData("a", 0, 5, true)]
    [InlineData("b", 0, 9, false)]
    [InlineData("b", 0, 10, true)] // the change may have happened at once
    [InlineData("a", 11, 19, true)]
    [InlineData("a", 21, 30, true)] // or just before it was answered
    [InlineData("a", 22, 30, false)]
    [InlineData("b", 22, 30, true)]
    [InlineData("c", 0, 30, false)]
    [InlineData(null, 0, 30, false)]
    public void AVersionMayAnswer_WhileItsTimeMayOverlapTheRequests(string? version, int from, int to, bool may) =>
        Assert.Equal(may, History.MayAnswer(version, TimeSpan.FromSeconds(from), TimeSpan.FromSeconds(to)));

    private static TrafficHistory Make()
    {
        var history = new TrafficHistory(new TrafficState("a", null));
        history.Add(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(12), new TrafficState("a", "b"));
        history.Add(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(21), new TrafficState("b", null));
        return history;
    }
}

using LlavaCluster.Cluster.Tests.Support;

namespace LlavaCluster.Cluster.Tests;

/// <summary>A ring of real processes: what they sum, and how they hear of one's death.</summary>
public sealed class RingProcessTests : IDisposable
{
    private const int Rounds = 5;
    private const int Floats = 300_000;
    private const int Never = 600_000;

    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose() => _deadline.Dispose();

    [Fact]
    public async Task Processes_SumTheSame_AndAKilledOneEndsTheRingLongBeforeAnyTimeout()
    {
        int[] ports = [Ports.Free(), Ports.Free(), Ports.Free()];
        await using var first = Node.LaunchRing([0, Rounds, Floats, Never, .. ports]);
        await using var second = Node.LaunchRing([1, Rounds, Floats, Never, .. ports]);
        await using var third = Node.LaunchRing([2, Rounds, Floats, Never, .. ports]);
        var digests = await Task.WhenAll(new[] { first, second, third }.Select(node => node.SaysAsync("digest ", Stop)));

        await third.KillAsync(Stop);

        Assert.Single(digests.Distinct());
        Assert.StartsWith("broken Closed rank ", await first.SaysAsync("broken ", Stop), StringComparison.Ordinal);
        Assert.StartsWith("broken Closed rank ", await second.SaysAsync("broken ", Stop), StringComparison.Ordinal);
        await first.ExitAsync(Stop);
        Assert.Equal(0, first.ExitCode);
    }

    [Fact]
    public async Task ProcessThatIsStopped_EndsTheRingByItsSilence()
    {
        const int timeout = 2000;
        int[] ports = [Ports.Free(), Ports.Free(), Ports.Free()];
        await using var first = Node.LaunchRing([0, Rounds, Floats, timeout, .. ports]);
        await using var second = Node.LaunchRing([1, Rounds, Floats, timeout, .. ports]);
        await using var third = Node.LaunchRing([2, Rounds, Floats, timeout, .. ports]);
        await Task.WhenAll(new[] { first, second, third }.Select(node => node.SaysAsync("digest ", Stop)));

        await third.SignalAsync("STOP", Stop);

        var ends = await Task.WhenAll(new[] { first, second }.Select(node => node.SaysAsync("broken ", Stop)));
        Assert.Contains(ends, end => end.StartsWith("broken Silent rank ", StringComparison.Ordinal));
    }
}

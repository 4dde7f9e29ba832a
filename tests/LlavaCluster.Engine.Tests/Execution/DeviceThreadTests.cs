using LlavaCluster.Engine.Execution;

namespace LlavaCluster.Engine.Tests.Execution;

public sealed class DeviceThreadTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RunAsync_OfMany_RunsThemInOrderOnOneThread()
    {
        await using var device = new DeviceThread("test", capacity: 2);
        var seen = new List<(int Index, int Thread)>();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => device.RunAsync(() => seen.Add((i, Environment.CurrentManagedThreadId)), Token)));

        Assert.Equal(Enumerable.Range(0, 20), seen.Select(entry => entry.Index));
        Assert.Single(seen.Select(entry => entry.Thread).Distinct());
    }

    [Fact]
    public async Task RunAsync_WhenTheWorkThrows_TellsItsOwnerAndLivesOn()
    {
        await using var device = new DeviceThread("test");

        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => device.RunAsync(() => throw new InvalidDataException("bad"), Token));

        Assert.Equal("bad", fault.Message);
        Assert.Equal(7, await device.RunAsync(() => 7, Token));
    }

    [Fact]
    public async Task RunAsync_WhenCancelledBeforeItsTurn_IsNotRun()
    {
        await using var device = new DeviceThread("test");
        using var go = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        var first = device.RunAsync(() => go.Wait(Token), Token);
        var ran = false;
        var second = device.RunAsync(() => ran = true, cancel.Token);
        Assert.True(device.HasWaiting);

        await cancel.CancelAsync();
        go.Set();
        await first;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(ran);
    }

    [Fact]
    public async Task DisposeAsync_RunsWhatIsQueuedAndRefusesWhatComes()
    {
        var device = new DeviceThread("test");
        using var go = new ManualResetEventSlim();
        var first = device.RunAsync(() => go.Wait(Token), Token);
        var second = device.RunAsync(() => 2, Token);
        var ended = device.DisposeAsync();
        go.Set();
        await ended;

        await first;
        Assert.Equal(2, await second);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => device.RunAsync(() => 3, Token));
    }
}

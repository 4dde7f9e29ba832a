using System.Net;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Training.Tests.Distributed;

/// <summary>Members of one ring over loopback in this process, each called on a thread of its own.</summary>
internal sealed class TestRing : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly RingListener[] _listeners;

    private TestRing(RingListener[] listeners, RingGroup[] members) => (_listeners, Members) = (listeners, members);

    public RingGroup[] Members { get; }

    public static byte[] Secret { get; } = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    public static RingListener Listen(RingOptions? options = null) => RingListener.Start(new IPEndPoint(IPAddress.Loopback, 0), options ?? new RingOptions { OperationTimeout = Deadline });

    public static RingMembership Member(IReadOnlyList<IPEndPoint> members, int rank, long generation = 1) =>
        new() { Group = "acme/job", Generation = generation, Rank = rank, Members = members, Secret = Secret };

    /// <param name="dial">Where a rank is found instead of its listener, for those in the middle.</param>
    public static async Task<TestRing> FormAsync(int size, RingOptions? options = null, Func<int, IPEndPoint, IPEndPoint>? dial = null)
    {
        var listeners = Enumerable.Range(0, size).Select(_ => Listen(options)).ToArray();
        IPEndPoint[] places = [.. listeners.Select((listener, rank) => dial?.Invoke(rank, listener.EndPoint) ?? listener.EndPoint)];
        var members = await Task.WhenAll(listeners.Select((listener, rank) => RingGroup.JoinAsync(listener, Member(places, rank), Deadline, TestContext.Current.CancellationToken)));
        return new TestRing(listeners, members);
    }

    /// <summary>Lets every member act at once and waits for all.</summary>
    public Task EachAsync(Action<RingGroup> act) => Task.WhenAll(Members.Select(member => OnThread(() => act(member))));

    /// <summary>A member's call on a thread of its own, as blocking calls want it.</summary>
    public static Task OnThread(Action act) => Task.Factory.StartNew(act, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>How a member's call ended, which must be by a break.</summary>
    public static async Task<RingBrokenException> BreakOf(Action act)
    {
        var ended = OnThread(act).WaitAsync(Deadline, TestContext.Current.CancellationToken);
        return await Assert.ThrowsAsync<RingBrokenException>(() => ended);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in Members)
        {
            member.Dispose();
        }

        foreach (var listener in _listeners)
        {
            await listener.DisposeAsync();
        }
    }
}

using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Training.Tests.Distributed;

/// <summary>What ends a ring, and that all members learn of it. Rank 0 reaches rank 1 through a meddler.</summary>
public sealed class RingBreakTests
{
    private const int Length = 500_000;
    private const int HeaderBytes = 40;

    [Theory]
    [InlineData(HeaderBytes + 100_000, RingFault.Damaged)] // within a payload
    [InlineData(32, RingFault.Damaged)] // the checksum itself
    [InlineData(2, RingFault.Mismatched)] // a length beyond what frames may have
    [InlineData(4, RingFault.Mismatched)] // a type that is none
    [InlineData(8, RingFault.Mismatched)] // another generation
    [InlineData(16, RingFault.Mismatched)] // a frame that was there before
    public async Task FlippedByte_EndsTheSumOnAllMembers(int at, RingFault fault)
    {
        await using var meddled = await MeddledRing.FormAsync();
        meddled.Meddler.Flip(at);

        var breaks = await Task.WhenAll(meddled.Ring.Members.Select(member => TestRing.BreakOf(() => member.Sum(new float[Length]))));

        Assert.Equal((0, fault), (breaks[1].Peer, breaks[1].Fault));
        Assert.All(breaks.Where((_, rank) => rank != 1), other => Assert.Equal(RingFault.Closed, other.Fault));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(HeaderBytes - 1)]
    [InlineData(HeaderBytes + 1000)]
    public async Task ConnectionThatEndsWithinAFrame_EndsTheSumOnAllMembers(int after)
    {
        await using var meddled = await MeddledRing.FormAsync();
        meddled.Meddler.CutAfter(after);

        var breaks = await Task.WhenAll(meddled.Ring.Members.Select(member => TestRing.BreakOf(() => member.Sum(new float[Length]))));

        Assert.All(breaks, broken => Assert.Equal(RingFault.Closed, broken.Fault));
    }

    [Fact]
    public async Task SilentPeer_EndsTheSumOnAllMembers()
    {
        await using var meddled = await MeddledRing.FormAsync(TimeSpan.FromMilliseconds(300));
        meddled.Meddler.Mute();

        var breaks = await Task.WhenAll(meddled.Ring.Members.Select(member => TestRing.BreakOf(() => member.Sum(new float[Length]))));

        Assert.Contains(breaks, broken => broken.Fault == RingFault.Silent);
        Assert.All(breaks, broken => Assert.Contains(broken.Fault, new[] { RingFault.Silent, RingFault.Closed }));
    }

    [Fact]
    public async Task PeerThatDoesNotCall_EndsTheSumOfTheOthers()
    {
        await using var ring = await TestRing.FormAsync(3, new RingOptions { OperationTimeout = TimeSpan.FromMilliseconds(300) });

        var breaks = await Task.WhenAll(ring.Members.Take(2).Select(member => TestRing.BreakOf(() => member.Sum(new float[Length]))));

        Assert.Contains(breaks, broken => broken.Fault == RingFault.Silent);
        await WaitUntilBrokenAsync(ring.Members[2]); // which never called
    }

    [Fact]
    public async Task Abort_OfOneMember_EndsTheCallsOfAllAndIsSeenByThoseWhoCompute()
    {
        await using var ring = await TestRing.FormAsync(4);
        var waiting = TestRing.BreakOf(() => ring.Members[1].Sum(new float[Length]));
        var alsoWaiting = TestRing.BreakOf(() => ring.Members[2].Sum(new float[Length]));

        ring.Members[1].Abort("The coordinator said stop.");

        var own = await waiting;
        Assert.Equal((1, RingFault.Aborted, "The coordinator said stop."), (own.Peer, own.Fault, own.Message));
        Assert.Equal(RingFault.Closed, (await alsoWaiting).Fault);
        await WaitUntilBrokenAsync(ring.Members[0]);
        await WaitUntilBrokenAsync(ring.Members[3]);
        var later = Assert.Throws<RingBrokenException>(() => ring.Members[3].Sum(new float[1]));
        Assert.Equal(RingFault.Closed, later.Fault);
    }

    [Fact]
    public async Task MembersWhoseCallsDiffer_AreTold()
    {
        await using var ring = await TestRing.FormAsync(2);

        var breaks = await Task.WhenAll(ring.Members.Select(member => TestRing.BreakOf(() => member.Sum(new float[100 + member.Rank]))));

        Assert.Contains(breaks, broken => broken.Fault == RingFault.Mismatched && broken.Message.Contains("where Sum of 10", StringComparison.Ordinal));
    }

    [Fact]
    public async Task MemberThatLeaves_EndsTheNextCallOfTheOthers()
    {
        await using var ring = await TestRing.FormAsync(3);
        ring.Members[0].Dispose();

        var breaks = await Task.WhenAll(ring.Members.Skip(1).Select(member => TestRing.BreakOf(member.Barrier)));

        Assert.Equal((0, RingFault.Left), (breaks[0].Peer, breaks[0].Fault));
        Assert.Throws<ObjectDisposedException>(ring.Members[0].Barrier);
    }

    [Fact]
    public async Task StreamThatFails_EndsTheGroupAndIsThrownAsItIs()
    {
        await using var ring = await TestRing.FormAsync(2);
        var closed = new MemoryStream();
        await closed.DisposeAsync();

        var receiving = TestRing.BreakOf(() => ring.Members[1].Broadcast(0, Stream.Null));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => TestRing.OnThread(() => ring.Members[0].Broadcast(0, closed)));

        Assert.Equal(RingFault.Closed, (await receiving).Fault);
        Assert.Equal(RingFault.Aborted, Assert.Throws<RingBrokenException>(ring.Members[0].Barrier).Fault);
    }

    /// <summary>A break comes by itself to a member that calls nothing.</summary>
    private static Task WaitUntilBrokenAsync(RingGroup member)
    {
        var broken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        member.Broken.Register(broken.SetResult);
        return broken.Task.WaitAsync(TestRing.Deadline, TestContext.Current.CancellationToken);
    }

    private sealed class MeddledRing(TestRing ring, Meddler meddler) : IAsyncDisposable
    {
        public TestRing Ring => ring;

        public Meddler Meddler => meddler;

        public static async Task<MeddledRing> FormAsync(TimeSpan? time = null)
        {
            Meddler? meddler = null;
            var ring = await TestRing.FormAsync(3, new RingOptions { OperationTimeout = time ?? TestRing.Deadline }, (rank, place) => rank == 1 ? (meddler = new Meddler(place)).EndPoint : place);
            return new MeddledRing(ring, meddler!);
        }

        public async ValueTask DisposeAsync()
        {
            await ring.DisposeAsync();
            await meddler.DisposeAsync();
        }
    }
}

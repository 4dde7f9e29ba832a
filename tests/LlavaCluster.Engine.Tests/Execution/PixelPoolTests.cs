using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Tests.Support;
using static LlavaCluster.Engine.Tests.Support.Requests;

namespace LlavaCluster.Engine.Tests.Execution;

/// <summary>Pixels as requests meet them: through the engine's steps.</summary>
public sealed class PixelPoolTests
{
    private static readonly EngineOptions OneAtATime = new()
    {
        BlockSize = 4, KvBlocks = 64, MaxTokensPerStep = 24, MaxRunningSequences = 1, MaxImageTokensPerStep = 8, ImageCacheTokens = 32, MaxImageLoads = 1,
    };

    [Fact]
    public void Start_WhenImagesFetchedAheadFillThePool_MakesRoomForTheOneThatComesBeforeThem()
    {
        using var bench = new EngineBench(OneAtATime);
        bench.Submit(Of("a", 1, Image(9, 4)));
        bench.RunToEnd();
        bench.Submit(Of("a", 40, Text(1)).With(s => s with { IgnoreEos = true }));
        bench.Step();
        var waiting = bench.Submit(Of("a", 2, Image(9, 4), Image(1, 4), Image(2, 4), Image(3, 4), Image(4, 4), Text(1)));
        for (var i = 0; i < 4; i++)
        {
            // Four are fetched ahead; the first image is not, for its features are there.
            bench.Step();
            bench.AwaitLoad();
        }

        bench.Core.Erase("a", new HashSet<ContentDigest>());
        bench.RunToEnd();
        Assert.Null(EngineBench.Read(waiting)[^1].Failure);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Remove_WhenTheLastRequestIsCancelled_CancelsTheLoadSoThatOthersGetItsPlace()
    {
        using var bench = new EngineBench(OneAtATime);
        var slow = bench.Submit(Of("a", 2, Image(1, 4, async token =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return [];
        })));
        bench.Core.Step();
        var other = bench.Submit(Of("b", 2, Image(2, 4)));
        slow.Cancel();
        bench.RunToEnd();
        Assert.Null(EngineBench.Read(other)[^1].Failure);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Remove_WhenTheLoaderIsSlowToCancel_DoesNotWaitForIt()
    {
        using var bench = new EngineBench(OneAtATime);
        var begun = new ManualResetEventSlim();
        var go = new ManualResetEventSlim();
        var slow = bench.Submit(Of("a", 2, Image(1, 4, async token =>
        {
            await using var registration = token.Register(go.Wait);
            begun.Set();
            await Task.Delay(Timeout.Infinite, token);
            return [];
        })));
        bench.Core.Step();
        begun.Wait(TestContext.Current.CancellationToken);
        slow.Cancel();
        // On the thread of the steps this would never return.
        Assert.Equal(StepOutcome.Idle, bench.Core.Step());
        go.Set();
        bench.AwaitLoad();
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Load_WhenItTakesTooLong_FailsItsRequestAndFreesItsPlace()
    {
        using var bench = new EngineBench(OneAtATime);
        var begun = new ManualResetEventSlim();
        var slow = bench.Submit(Of("a", 2, Image(1, 4, async token =>
        {
            begun.Set();
            await Task.Delay(Timeout.Infinite, token);
            return [];
        })));
        var other = bench.Submit(Of("b", 2, Image(2, 4)));
        bench.Core.Step();
        begun.Wait(TestContext.Current.CancellationToken);
        bench.Time.Advance(bench.Options.ImageLoadTimeout);
        bench.RunToEnd();
        Assert.Equal(new RequestFailure(FailureKind.ImageUnread, "The pixels of an image could not be had (TimeoutException)."), EngineBench.Read(slow)[^1].Failure);
        Assert.Null(EngineBench.Read(other)[^1].Failure);
        bench.AssertNothingIsHeld();
    }
}

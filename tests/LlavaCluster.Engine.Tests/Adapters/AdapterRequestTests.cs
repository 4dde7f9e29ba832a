using LlavaCluster.Engine.Tests.Support;
using static LlavaCluster.Engine.Tests.Support.Requests;

namespace LlavaCluster.Engine.Tests.Adapters;

/// <summary>Requests with adapters through the engine's steps.</summary>
public sealed class AdapterRequestTests
{
    private static readonly EngineOptions Options = new() { BlockSize = 4, KvBlocks = 64, MaxTokensPerStep = 24, MaxRunningSequences = 8, MaxImageTokensPerStep = 8, ImageCacheTokens = 32, MaxGuessedTokens = 0, AdapterBytes = 10 };

    [Fact]
    public void Submit_OfOnePromptWithBaseAndAdapters_SharesNeitherKeysNorAnswers()
    {
        using var bench = new EngineBench(Options);
        Assert.Null(bench.Load(new HashAdapter(1, 4)));
        Assert.Null(bench.Load(new HashAdapter(2, 4)));
        ulong?[] adapters = [null, 1, 2];
        var first = adapters.Select(adapter => Answer(bench, Prompt(adapter))).ToArray();
        Assert.Equal(0, bench.Core.Scheduler.PrefixHits);

        var together = adapters.Reverse().Select(adapter => bench.Submit(Prompt(adapter))).ToArray();
        bench.RunToEnd();

        Assert.Equal(3, first.Select(answer => string.Join(' ', answer)).Distinct().Count());
        Assert.Equal(first.Reverse(), together.Select(live => EngineBench.Tokens(EngineBench.Read(live))));
        Assert.Equal(3 * 8, bench.Core.Scheduler.PrefixHits);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Submit_OfOnePictureWithBaseAndAdapters_SharesFeaturesOnlyWhereTheyAreTheSame()
    {
        using var bench = new EngineBench(Options);
        Assert.Null(bench.Load(new HashAdapter(1, 3, changesFeatures: true)));
        Assert.Null(bench.Load(new HashAdapter(2, 3)));
        Assert.Null(bench.Load(new HashAdapter(3, 3, changesFeatures: true)));

        ulong?[] adapters = [null, 1, 2, 3];
        var answers = adapters.Select(adapter => string.Join(' ', Answer(bench, Of("a", 6, Image(1, 4), Text(1)).With(s => s with { IgnoreEos = true }) with { Adapter = Digest(adapter) }))).ToArray();

        Assert.Equal(4, answers.Distinct().Count());
        Assert.Equal(3, bench.Runner.Encoded);
        Assert.Equal(3, bench.Core.Features.Count);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void AddAdapter_WhileRequestsRun_EvictsOnlyWhatNobodyUses()
    {
        using var bench = new EngineBench(Options);
        var (used, idle) = (new HashAdapter(1, 5), new HashAdapter(2, 5));
        Assert.Null(bench.Load(used));
        Assert.Null(bench.Load(idle));
        var alone = Answer(bench, Prompt(1));
        var live = bench.Submit(Prompt(1));
        bench.Step();

        Assert.Null(bench.Load(new HashAdapter(3, 5)));
        Assert.Equal((false, true), (used.IsDisposed, idle.IsDisposed));
        Assert.Equal(RejectionReason.AdapterMissing, bench.Refuse(Prompt(2))!.Reason);
        var other = bench.Submit(Prompt(3));
        var refused = bench.Load(new HashAdapter(4, 5))!;
        Assert.Equal((RejectionReason.Overloaded, "Adapters may take 10 bytes on the device; those of running requests leave no room for 5."), (refused.Reason, refused.Message));
        Assert.NotNull(refused.RetryAfter);

        bench.RunToEnd();
        Assert.Equal(alone, EngineBench.Tokens(EngineBench.Read(live)));
        Assert.Null(EngineBench.Read(other)[^1].Failure);
        Assert.Null(bench.Load(new HashAdapter(4, 5)));
        Assert.True(used.IsDisposed);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Submit_AfterAnAdapterCameBack_FindsWhatWasCachedAndAnswersTheSame()
    {
        using var bench = new EngineBench(Options);
        Assert.Null(bench.Load(new HashAdapter(1, 8)));
        var before = Answer(bench, Prompt(1));
        Assert.Null(bench.Load(new HashAdapter(2, 8)));
        Assert.Equal(RejectionReason.AdapterMissing, bench.Refuse(Prompt(1))!.Reason);
        Assert.Null(bench.Load(new HashAdapter(1, 8)));

        Assert.Equal(before, Answer(bench, Prompt(1)));
        Assert.Equal(8, bench.Core.Scheduler.PrefixHits);
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("finish")]
    [InlineData("resumed")]
    [InlineData("refused")]
    [InlineData("fault")]
    public void Submit_HoweverItEnds_LetsGoOfItsAdapter(string end)
    {
        using var bench = new EngineBench(Options);
        Assert.Null(bench.Load(new HashAdapter(1, 8)));
        var request = Prompt(1);
        switch (end)
        {
            case "refused":
                Assert.Equal(RejectionReason.Invalid, bench.Refuse(request with { Emitted = [[.. Enumerable.Repeat(1, 50)]] })!.Reason);
                break;
            case "resumed":
                bench.Submit(request with { Emitted = [[.. Enumerable.Repeat(1, request.Sampling.MaxTokens)]] });
                break;
            case "fault":
                bench.Core.Abandon();
                bench.Submit(request);
                Assert.True(bench.Core.Adapters.TryReserve(EngineBench.DigestOf(2), 8, changesFeatures: false, [], out _)); // there is room for it only where the first is not pinned
                return;
            default:
                var live = bench.Submit(request);
                bench.Step();
                if (end == "cancel")
                {
                    live.Cancel();
                }

                break;
        }

        bench.RunToEnd();
        Assert.Null(bench.Load(new HashAdapter(2, 8)));
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void AddAdapter_OverTheBudgetOrAgain_IsAnsweredAndDisposed()
    {
        using var bench = new EngineBench(Options);
        var large = new HashAdapter(1, 11);
        Assert.Equal("An adapter must take <= 10 bytes on the device; this one takes 11.", bench.Load(large)!.Message);
        Assert.Null(bench.Load(new HashAdapter(2, 4)));
        var again = new HashAdapter(2, 4);

        Assert.Null(bench.Load(again));

        Assert.Equal((true, true, 1), (large.IsDisposed, again.IsDisposed, bench.Runner.Adapters));
    }

    [Fact]
    public void AddAdapter_WhenTheDeviceRefusesIt_LeavesRoomAsItWas()
    {
        using var bench = new EngineBench(Options);
        bench.Runner.AddFault = new InvalidOperationException("no memory");
        var adapter = new HashAdapter(1, 10);

        Assert.Throws<InvalidOperationException>(() => bench.Load(adapter));

        bench.Runner.AddFault = null;
        Assert.True(adapter.IsDisposed);
        Assert.Null(bench.Load(new HashAdapter(2, 10)));
        bench.AssertNothingIsHeld();
    }

    private static ContentDigest? Digest(ulong? adapter) => adapter is { } number ? EngineBench.DigestOf(number) : null;

    private static EngineRequest Prompt(ulong? adapter) => Of("a", 12, Text(1, 2, 3, 4, 5, 6, 7, 8, 9)).With(s => s with { IgnoreEos = true }) with { Adapter = Digest(adapter) };

    private static int[] Answer(EngineBench bench, EngineRequest request)
    {
        var live = bench.Submit(request);
        bench.RunToEnd();
        return EngineBench.Tokens(EngineBench.Read(live));
    }
}

using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Engine.Tests.Scheduling;

public sealed partial class SchedulerTests
{
    private readonly EngineOptions _options = new()
    {
        BlockSize = 4, KvBlocks = 100, MaxTokensPerStep = 20, MaxRunningSequences = 4, MaxImageTokensPerStep = 8, ImageCacheTokens = 16, DecodeTokenCost = 1, ReservedShare = 0, MaxStepSlowdown = double.PositiveInfinity,
    };

    private const int Stages = 4;

    private readonly FakeTimeProvider _time = new();
    private readonly Pixels _pixels = new();
    private readonly KeyHasher _hasher = new();
    private readonly BlockAllocator _allocator;
    private readonly ImageFeatureCache _features;
    private readonly Scheduler _scheduler;
    private int _made;

    public SchedulerTests()
    {
        _allocator = new BlockAllocator(_options.KvBlocks);
        _features = new ImageFeatureCache(_options.ImageCacheTokens);
        _scheduler = new Scheduler(_options, _allocator, new PrefixCache(_allocator), _features, _pixels, encodingStages: Stages, _time);
    }

    [Fact]
    public void Plan_LongPrompt_IsCutToTheBudgetAndNeverStallsARunningAnswer()
    {
        var answer = Add("a", 4);
        Step();
        var prompt = Add("b", 50);
        Step();
        Assert.Equal((5, 19), (answer.Computed, prompt.Computed));
        Step();
        Assert.Equal((6, 38), (answer.Computed, prompt.Computed));
    }

    [Fact]
    public void Plan_ImageWithoutPixels_IsPassedByTextAndAskedFor()
    {
        var image = AddImage("a", key: 1, tokens: 8);
        var text = Add("a", 4);
        var plan = _scheduler.Plan();
        Assert.Equal([text], plan.Rows.Select(r => r.Sequence));
        Assert.Equal([Key(1)], plan.WantedPixels);
        _pixels.Ready.Add(Key(1));
        Assert.Contains(image, _scheduler.Plan().Rows.Select(r => r.Sequence));
    }

    [Fact]
    public void Plan_ImagesBeyondTheBudget_WaitWhileTextPasses()
    {
        _pixels.Ready.UnionWith([Key(1), Key(2)]);
        var first = AddImage("a", key: 1, tokens: 8);
        var second = AddImage("a", key: 2, tokens: 8);
        var text = Add("a", 2);
        var plan = _scheduler.Plan();
        Assert.Equal([first, text], plan.Rows.Select(r => r.Sequence));
        Assert.Equal(8, plan.ImageTokens);
        Commit(plan);
        Assert.Contains(second, _scheduler.Plan().Rows.Select(r => r.Sequence));
    }

    [Fact]
    public void Plan_TheSameImageInTwoRequests_IsEncodedOnce()
    {
        _pixels.Ready.Add(Key(1));
        AddImage("a", key: 1, tokens: 8);
        AddImage("b", key: 1, tokens: 8);
        var plan = _scheduler.Plan();
        Assert.Equal(2, plan.Rows.Count);
        Assert.Single(plan.Encodes);
    }

    [Fact]
    public void Plan_PrefixThatAPausedSequenceComputes_IsNotWaitedFor()
    {
        _options.MaxTokensPerStep = 8;
        var first = AddAlike("a", 24);
        Step();
        var second = AddAlike("a", 24);
        Assert.DoesNotContain(second, _scheduler.Plan().Rows.Select(row => row.Sequence));
        first.Paused = true;
        Assert.Contains(second, _scheduler.Plan().Rows.Select(row => row.Sequence));
    }

    [Fact]
    public void Plan_WhenBlocksRunOut_PreemptsTheLastAdmittedAndItComesBack()
    {
        _options.MaxTokensPerStep = 400;
        var first = Add("a", 199);
        var second = Add("a", 197);
        Step();
        Assert.Equal(0, _allocator.Available);
        var plans = Enumerable.Range(0, 4).Select(_ => Step().Preempted.ToList()).ToList();
        Assert.Contains(plans, p => p.SequenceEqual([second]));
        Assert.Equal(SequenceState.Running, first.State);
        _scheduler.Remove(first);
        Step();
        Assert.Equal(SequenceState.Running, second.State);
        _scheduler.Remove(second);
        Assert.Equal(0, _allocator.Held);
    }

    [Fact]
    public void Plan_BigPromptThatWaitsForBlocks_IsNotOvertaken()
    {
        _options.MaxTokensPerStep = 400;
        var running = Add("a", 300);
        Step();
        var big = Add("a", 200);
        var small = Add("a", 4);
        Step();
        Assert.Equal((SequenceState.Waiting, SequenceState.Waiting), (big.State, small.State));
        _scheduler.Remove(running);
        Step();
        Assert.Equal((SequenceState.Running, SequenceState.Running), (big.State, small.State));
    }

    private static CacheKey Key(int value) => new((ulong)value, 0, 0, 0);

    private Sequence Add(string tenant, int tokens, RequestPriority priority = RequestPriority.Interactive, double weight = 1) =>
        Add(tenant, tokens, [], priority, weight);

    private Sequence AddImage(string tenant, int key, int tokens) =>
        Add(tenant, tokens + 2, [new ImageSpan(Key(key), 1, tokens)], RequestPriority.Interactive, 1);

    /// <summary>One whose prompt begins like every other's made here.</summary>
    private Sequence AddAlike(string tenant, int tokens, RequestPriority priority = RequestPriority.Interactive)
    {
        var made = _made;
        _made = 0;
        var sequence = Add(tenant, tokens, priority);
        _made = made + 1;
        return sequence;
    }

    private Sequence Add(string tenant, int tokens, ImageSpan[] images, RequestPriority priority, double weight, Scheduler? scheduler = null)
    {
        var sequence = new Sequence(
            new SequenceSpec
            {
                // Different first tokens, so that the prefix cache has no part in these tests.
                Tokens = [1000 + _made++, .. Enumerable.Range(0, tokens - 1)],
                PromptTokens = tokens,
                MaxTokens = tokens + 100,
                Images = images,
                Scope = new CacheScope(tenant, default, default),
                Weight = weight,
                Priority = priority,
            },
            _allocator, _hasher, _options.BlockSize);
        (scheduler ?? _scheduler).Add(sequence);
        return sequence;
    }

    private StepPlan Step(bool finishAfterPrompt = false)
    {
        var plan = _scheduler.Plan();
        Commit(plan, finishAfterPrompt);
        return plan;
    }

    private void Commit(StepPlan plan, bool finishAfterPrompt = false, Scheduler? scheduler = null, bool partFails = false)
    {
        scheduler ??= _scheduler;
        Assert.InRange(plan.Tokens, 0, _options.MaxTokensPerStep);
        foreach (var encode in plan.Encodes)
        {
            _features.MarkReady(encode.Slot);
        }

        if (plan.Part is { } part)
        {
            scheduler.CommitPart(part, partFails);
        }

        foreach (var row in plan.Rows)
        {
            var samples = row.Samples;
            scheduler.Commit(row);
            if (samples && finishAfterPrompt)
            {
                scheduler.Remove(row.Sequence);
            }
            else if (samples)
            {
                row.Sequence.Append(7);
            }
        }
    }

    private sealed class Pixels : IPixelSource
    {
        public HashSet<CacheKey> Ready { get; } = [];

        public bool IsReady(CacheKey image) => Ready.Contains(image);

        public bool IsNeeded(CacheKey image) => Ready.Contains(image);
    }
}

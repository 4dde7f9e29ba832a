using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Tests.Scheduling;

/// <summary>Prompts and images beside answers.</summary>
public sealed partial class SchedulerTests
{
    // What a step takes on this test's device: 20 ms and 1 ms a token.
    private const double StepMilliseconds = 20;

    [Fact]
    public void Plan_APromptBesideAnAnswer_IsCutToWhatKeepsTheStepUnderTheMultiple()
    {
        _options.MaxTokensPerStep = 200;
        var (scheduler, answer) = Paced(mostSlowdown: 2);
        var prompt = Add("b", 250, [], RequestPriority.Interactive, 1, scheduler);
        var counts = new List<int>();
        while (prompt.Pending > 1)
        {
            var plan = PacedStep(scheduler);
            Assert.Contains(plan.Rows, row => row.Sequence == answer);
            counts.Add(plan.Tokens - 1);
        }

        Assert.True(counts.Count > 3, string.Join(' ', counts));
        Assert.All(counts.Skip(1), count => Assert.InRange(count, 0, 22)); // when one of the two answers, a step takes 21 ms
        Assert.Contains(21, counts);
    }

    [Fact]
    public void Plan_AnImageBesideAnAnswer_IsEncodedOverSeveralStepsAndReadInTheLast()
    {
        _options.ImageTokenCost = 9; // 72 tokens' work
        var (scheduler, answer) = Paced(mostSlowdown: 2);
        _pixels.Ready.UnionWith([Key(1), Key(2)]);
        var image = Add("b", 10, [new ImageSpan(Key(1), 1, 8)], RequestPriority.Interactive, 1, scheduler);
        var other = Add("c", 10, [new ImageSpan(Key(2), 1, 8)], RequestPriority.Interactive, 1, scheduler);
        var parts = new List<ImagePart>();
        while (image.State != SequenceState.Running)
        {
            Assert.True(parts.Count < 40);
            var plan = PacedStep(scheduler);
            Assert.Empty(plan.Encodes);
            Assert.Contains(plan.Rows, row => row.Sequence == answer);
            parts.AddRange(plan.Part is { } part ? [part] : []);
        }

        Assert.True(parts.Count > 1);
        Assert.Equal(Stages, parts.Sum(part => part.Count));
        Assert.Equal(parts.Select(part => part.First), parts.Select((_, i) => parts.Take(i).Sum(before => before.Count)));
        Assert.Equal(SequenceState.Waiting, other.State);
    }

    [Fact]
    public void Plan_AnImageBehindTextThatIsComputedFirst_IsEncodedFromItsFirstStageOn()
    {
        _options.ImageTokenCost = 9; // 72 tokens' work
        var (scheduler, _) = Paced(mostSlowdown: 2);
        _pixels.Ready.Add(Key(1));
        var image = Add("b", 60, [new ImageSpan(Key(1), 40, 8)], RequestPriority.Interactive, 1, scheduler);
        var (next, parts) = (0, 0);
        while (image.Pending > 1)
        {
            if (PacedStep(scheduler).Part is { } part)
            {
                Assert.Equal(next, part.First);
                (next, parts) = (part.First + part.Count, parts + 1);
            }
        }

        Assert.Equal(Stages, next);
        Assert.True(parts > 1);
    }

    [Fact]
    public void Plan_AnImageThatNobodyNeedsAnyMore_IsNotGoneOnWith()
    {
        _options.ImageTokenCost = 9; // 72 tokens' work
        var (scheduler, _) = Paced(mostSlowdown: 2);
        _pixels.Ready.Add(Key(1));
        var image = Add("b", 10, [new ImageSpan(Key(1), 1, 8)], RequestPriority.Interactive, 1, scheduler);
        PacedSteps(scheduler, step => step.Part is not null);
        Assert.Equal(8, _features.UsedTokens);
        scheduler.Remove(image);
        _pixels.Ready.Clear();

        var plan = PacedStep(scheduler);

        Assert.Null(plan.Part);
        Assert.Single(plan.DroppedSlots);
        Assert.Equal(0, _features.UsedTokens);
    }

    [Fact]
    public void Plan_APartThatFailed_IsTriedAgainWholeBesideTheRowsThatReadIt()
    {
        _options.ImageTokenCost = 9; // 72 tokens' work
        var (scheduler, _) = Paced(mostSlowdown: 2);
        _pixels.Ready.Add(Key(1));
        var image = Add("b", 10, [new ImageSpan(Key(1), 1, 8)], RequestPriority.Interactive, 1, scheduler);
        PacedSteps(scheduler, step => step.Part is not null, partFails: true);
        var plan = PacedSteps(scheduler, step => step.Encodes.Count > 0);

        Assert.Contains(plan.Rows, row => row.Sequence == image);
    }

    /// <summary>A scheduler with a running answer whose steps have been measured.</summary>
    private (Scheduler Scheduler, Sequence Answer) Paced(double mostSlowdown)
    {
        _options.MaxStepSlowdown = mostSlowdown;
        var scheduler = new Scheduler(_options, _allocator, new PrefixCache(_allocator), _features, _pixels, Stages, _time);
        var answer = Add("a", 4, [], RequestPriority.Interactive, 1, scheduler);
        for (var i = 0; i < 4; i++)
        {
            PacedStep(scheduler);
        }

        return (scheduler, answer);
    }

    /// <summary>Steps until one that is as wanted.</summary>
    private StepPlan PacedSteps(Scheduler scheduler, Func<StepPlan, bool> isWanted, bool partFails = false)
    {
        for (var i = 0; i < 40; i++)
        {
            if (PacedStep(scheduler, partFails) is var plan && isWanted(plan))
            {
                return plan;
            }
        }

        throw new InvalidOperationException("No step came as wanted.");
    }

    private StepPlan PacedStep(Scheduler scheduler, bool partFails = false)
    {
        var plan = scheduler.Plan();
        Commit(plan, scheduler: scheduler, partFails: partFails);
        scheduler.Learn(0, TimeSpan.FromMilliseconds(StepMilliseconds + plan.Tokens + (plan.ImageTokens * _options.ImageTokenCost)));
        return plan;
    }
}

using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Tests.Scheduling;

/// <summary>Tenants, classes and ageing.</summary>
public sealed partial class SchedulerTests
{
    [Fact]
    public void Plan_BackloggedTenants_AreServedByWeightWithinABound()
    {
        for (var i = 0; i < 120; i++)
        {
            Add("light", 8, weight: 1);
            Add("heavy", 8, weight: 3);
        }

        var served = new Dictionary<string, int> { ["light"] = 0, ["heavy"] = 0 };
        for (var step = 0; step < 40; step++)
        {
            foreach (var row in Step(finishAfterPrompt: true).Rows)
            {
                served[row.Sequence.Scope.Owner] += row.Count;
            }

            // Both have run what their weight gives them, but for the sequences of one full batch.
            Assert.InRange(served["heavy"] - (3.0 * served["light"]), -8 * 3 * 4, 8 * 4);
        }
    }

    [Fact]
    public void Plan_TenantOfNextToNoWeight_LeavesTheOthersCountersApart()
    {
        Add("tiny", 8, weight: double.Epsilon);
        Step(finishAfterPrompt: true);
        Add("tiny", 8, weight: double.Epsilon);
        for (var i = 0; i < 20; i++)
        {
            Add("light", 8, weight: 1);
            Add("heavy", 8, weight: 3);
        }

        Step(finishAfterPrompt: true);
        Assert.All(_scheduler.Waiting.Ledger.Waiting, account => Assert.True(double.IsFinite(account.Virtual)));
        Assert.True(Step().Rows.Count(row => row.Sequence.Scope.Owner == "heavy") > 1);
    }

    [Fact]
    public void Plan_TenantThatWasIdle_EarnsNoCredit()
    {
        for (var i = 0; i < 50; i++)
        {
            Add("busy", 8);
        }

        for (var step = 0; step < 10; step++)
        {
            Step(finishAfterPrompt: true);
        }

        for (var i = 0; i < 50; i++)
        {
            Add("late", 8);
        }

        var counts = Enumerable.Range(0, 8).SelectMany(_ => Step(finishAfterPrompt: true).Rows.ToList()).GroupBy(r => r.Sequence.Scope.Owner).ToDictionary(g => g.Key, g => g.Sum(r => r.Count));
        Assert.InRange(counts["late"] - counts["busy"], -24, 24);
    }

    [Fact]
    public void Plan_UrgentOneWhenAllPlacesAreTaken_TakesThePlaceOfABackgroundOne()
    {
        var background = Enumerable.Range(0, 4).Select(_ => Add("a", 4, RequestPriority.Background)).ToList();
        Step();
        var urgent = Add("b", 4);
        var plan = _scheduler.Plan();
        Assert.Equal([background[3]], plan.Preempted);
        Assert.Equal(urgent, plan.Rows[^1].Sequence);
        Assert.Equal((SequenceState.Waiting, 0), (background[3].State, background[3].Blocks.Count));
    }

    [Fact]
    public void Plan_UrgentOneWhosePrefixOthersHold_PreemptsNobodyForBlocksItDoesNotNeed()
    {
        _options.MaxTokensPerStep = 400;
        AddAlike("a", 200, RequestPriority.Background);
        Add("a", 160, RequestPriority.Background);
        Step();
        var urgent = AddAlike("a", 201);
        var plan = _scheduler.Plan();
        Assert.Empty(plan.Preempted);
        Assert.Contains(new StepRow(urgent, 200, 1), plan.Rows);
    }

    [Fact]
    public void Plan_LongWaitingBackground_IsPromotedAndNotStarved()
    {
        _options.MaxRunningSequences = 1;
        var patient = Add("a", 4, RequestPriority.Background);
        _time.Advance(_options.PriorityAging);
        _scheduler.Plan();
        Assert.Equal(RequestPriority.Normal, patient.Priority);
    }

    [Fact]
    public void Plan_OneThatWaitsBehindAPreemptedOne_IsPromotedInItsOwnTime()
    {
        var running = Enumerable.Range(0, 4).Select(_ => Add("a", 4, RequestPriority.Background)).ToList();
        Step();
        var patient = Add("a", 4, RequestPriority.Background);
        _time.Advance(_options.PriorityAging / 2);
        var urgent = Add("b", 4);
        Assert.Equal([running[3]], _scheduler.Plan().Preempted);
        _time.Advance(_options.PriorityAging / 2);
        _scheduler.Remove(urgent);
        _options.MaxRunningSequences = 3;
        _scheduler.Plan();
        Assert.Equal((RequestPriority.Normal, RequestPriority.Background), (patient.Priority, running[3].Priority));
    }
}

using LlavaCluster.Training.Distributed;
using LlavaCluster.Worker.Training;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Worker.Tests.Training;

public sealed class StepMeterTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void Take_GivesMeansOverTheStepsSinceTheReportBefore()
    {
        var meter = new StepMeter(100, 10, 0.5, _clock);
        Step(meter, 3, loss: 2, terms: 30, seconds: 1);
        Step(meter, 4, loss: 4, terms: 10, seconds: 1);

        var metrics = meter.Take();

        Assert.Equal((5L, 100L, 2.5, 0.1, 7.0), (metrics.Step, metrics.TotalSteps, metrics.Loss, metrics.LearningRate, metrics.GradientNorm));
        Assert.Equal((20.0, 0.5), (metrics.TokensPerSecond, metrics.Epoch));
        Step(meter, 5, loss: 1, terms: 8, seconds: 2);
        var next = meter.Take();
        Assert.Equal((1.0, 4.0), (next.Loss, next.TokensPerSecond));
    }

    [Fact]
    public void LastLoss_WhereMembersDidNotMeet_IsThatOfTheReportBefore()
    {
        var meter = new StepMeter(100, 10, 0.5, _clock);
        Step(meter, 0, loss: 3, terms: 5, seconds: 1);
        meter.Take();
        Step(meter, 1, loss: 0, terms: 0, seconds: 1);

        Assert.Equal(3, meter.LastLoss);
    }

    [Fact]
    public void TakeSeconds_AreThoseOfTheDeviceOnceEach()
    {
        var meter = new StepMeter(100, 10, 0.5, _clock);
        Step(meter, 0, loss: 3, terms: 5, seconds: 10, waited: 4);
        _clock.Advance(TimeSpan.FromSeconds(100)); // between steps
        Step(meter, 1, loss: 3, terms: 5, seconds: 1);

        Assert.Equal(7, meter.TakeSeconds());
        Assert.Equal(0, meter.TakeSeconds());
    }

    private void Step(StepMeter meter, long step, double loss, long terms, int seconds, double waited = 0)
    {
        meter.Begin();
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        meter.Add(new GroupStep(step, loss, terms, 7, 0.2, terms > 0, false, null), waited);
    }
}

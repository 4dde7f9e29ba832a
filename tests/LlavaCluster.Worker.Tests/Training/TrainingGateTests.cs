using LlavaCluster.Worker.Training;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Worker.Tests.Training;

public sealed class TrainingGateTests : IDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly ManualResetEvent _stop = new(false);

    public void Dispose() => _stop.Dispose();

    [Theory]
    [InlineData(0.5, 10)]
    [InlineData(0.2, 40)]
    [InlineData(1, 0)]
    public void Pass_BesideABusyEngine_WaitsUntilTrainingHasItsShareAndNoLonger(double share, int seconds)
    {
        var gate = Gate(share, busyFor: int.MaxValue);
        gate.Begin();
        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(seconds, gate.Pass(_stop));
    }

    [Fact]
    public void Pass_BesideAnIdleEngine_DoesNotWait()
    {
        var gate = Gate(0.1, busyFor: 0);
        gate.Begin();
        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(0, gate.Pass(_stop));
    }

    [Fact]
    public void Pass_EndsWhenTheEngineIsIdle_AndCountsAnewFromThere()
    {
        var gate = Gate(0.1, busyFor: 3);
        gate.Begin();
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(3, gate.Pass(_stop));

        gate = Gate(0.5, busyFor: int.MaxValue);
        gate.Begin();
        _clock.Advance(TimeSpan.FromSeconds(4));
        gate.Pass(_stop);
        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(2, gate.Pass(_stop));
    }

    [Fact]
    public void Pass_ThatIsToStop_DoesNotWait()
    {
        _stop.Set();
        var gate = Gate(0.1, busyFor: int.MaxValue);
        gate.Begin();
        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(1, gate.Pass(_stop)); // the one look that it takes
    }

    /// <summary>Each look at the engine takes a second.</summary>
    private TrainingGate Gate(double share, int busyFor)
    {
        var looks = 0;
        return new TrainingGate(
            () =>
            {
                if (looks++ >= busyFor)
                {
                    return false;
                }

                if (share < 1)
                {
                    _clock.Advance(TimeSpan.FromSeconds(1));
                }

                return true;
            },
            share,
            _clock);
    }
}

using LlavaCluster.Abstractions.Training;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Worker.Training;

/// <summary>Adds steps up to what is reported of them: means over the time since the last report.</summary>
/// <param name="peakRate">What the steps' rate factors are of.</param>
internal sealed class StepMeter(long totalSteps, int stepsPerEpoch, double peakRate, TimeProvider clock)
{
    private long _began = clock.GetTimestamp(), _reported = clock.GetTimestamp();
    private double _seconds, _losses;
    private long _terms;
    private GroupStep _last;

    /// <summary>Since the last report.</summary>
    public TimeSpan Elapsed => clock.GetElapsedTime(_reported);

    /// <summary>Mean a token since the last report, or of the report before where nothing came since.</summary>
    public double LastLoss { get; private set; }

    public void Begin() => _began = clock.GetTimestamp();

    /// <param name="waited">Seconds of the step in which the device was left to requests, or waited for other members.</param>
    public void Add(GroupStep step, double waited)
    {
        _seconds += clock.GetElapsedTime(_began).TotalSeconds - waited;
        _losses += step.Loss * step.Terms;
        _terms += step.Terms;
        _last = step;
        LastLoss = _terms > 0 ? _losses / _terms : LastLoss;
    }

    /// <summary>Of the device, since it was asked last.</summary>
    public double TakeSeconds()
    {
        var seconds = _seconds;
        _seconds = 0;
        return seconds;
    }

    public TrainingMetrics Take()
    {
        var metrics = new TrainingMetrics(_last.Step + 1, totalSteps, LastLoss, _last.RateFactor * peakRate, _last.GradientNorm, _terms / Elapsed.TotalSeconds, (_last.Step + 1) / (double)stepsPerEpoch);
        (_reported, _losses, _terms) = (clock.GetTimestamp(), 0, 0);
        return metrics;
    }
}

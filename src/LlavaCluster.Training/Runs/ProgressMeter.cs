namespace LlavaCluster.Training.Runs;

/// <summary>Counts what a phase has done and how fast.</summary>
internal sealed class ProgressMeter(PhaseOptions options, long firstStep, TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();
    private long _reported = time.GetTimestamp();
    private double _losses;
    private int _count;
    private long _terms;

    public bool IsDue => time.GetElapsedTime(_reported) >= options.ReportEvery;

    public void Add(double loss, long terms)
    {
        _losses += loss;
        _count++;
        _terms += terms;
    }

    /// <summary>Starts the next interval.</summary>
    public TrainingProgress Report(long step, double learningRate)
    {
        var elapsed = time.GetElapsedTime(_began);
        var pace = (step - firstStep) / elapsed.TotalSeconds;
        var progress = new TrainingProgress(
            options.Name, step, options.Steps, _losses / _count, learningRate, pace * options.SamplesPerStep, _terms / elapsed.TotalSeconds, elapsed,
            TimeSpan.FromSeconds((options.Steps - step) / pace));
        (_losses, _count, _reported) = (0, 0, time.GetTimestamp());
        return progress;
    }
}

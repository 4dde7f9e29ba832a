namespace LlavaCluster.Training.Optimisation;

/// <summary>Linear warm-up, then a half cosine down to a share of the peak. Steps count from 0.</summary>
/// <param name="TotalSteps">Length of the run; at least 1.</param>
/// <param name="WarmupSteps">Steps until the peak; the paper's ratio is 0.03 of the run.</param>
/// <param name="FinalShare">What is left of the peak at the end.</param>
public sealed record LearningRateSchedule(long TotalSteps, long WarmupSteps, double FinalShare = 0)
{
    /// <summary>Factor on the peak learning rate for a step, in (0, 1]; beyond the end it stays at <see cref="FinalShare"/>.</summary>
    public double At(long step)
    {
        if (step < WarmupSteps)
        {
            return (step + 1.0) / WarmupSteps;
        }

        var progress = Math.Min(1.0, (step - WarmupSteps) / (double)Math.Max(1, TotalSteps - WarmupSteps));
        return FinalShare + ((1 - FinalShare) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }
}

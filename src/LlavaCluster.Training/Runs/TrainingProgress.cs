namespace LlavaCluster.Training.Runs;

/// <summary>Where a run stands.</summary>
/// <param name="Step">Steps done, of <paramref name="Steps"/>.</param>
/// <param name="Loss">Mean over the steps since the last report.</param>
/// <param name="TermsPerSecond">Learned tokens or patches a second since this process began the run.</param>
/// <param name="Remaining">At the pace so far.</param>
public sealed record TrainingProgress(
    string Phase, long Step, long Steps, double Loss, double LearningRate, double SamplesPerSecond, double TermsPerSecond, TimeSpan Elapsed, TimeSpan Remaining);

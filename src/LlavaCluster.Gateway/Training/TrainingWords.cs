using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Gateway.Training;

/// <summary>What clients call the states and methods of jobs.</summary>
internal static class TrainingWords
{
    public static string Status(TrainingJobStatus status) => status switch
    {
        TrainingJobStatus.Queued => "queued",
        TrainingJobStatus.Running => "running",
        TrainingJobStatus.Paused => "paused",
        TrainingJobStatus.Succeeded => "succeeded",
        TrainingJobStatus.Failed => "failed",
        TrainingJobStatus.Cancelled => "cancelled",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "A status without a word."),
    };

    /// <summary>What a job's result is asked for by; null for a job that has none, or whose adapter was not published, which its reason tells.</summary>
    public static string? ModelOf(TrainingJobInfo job) => job is { Status: TrainingJobStatus.Succeeded, Reason: null } ? $"{job.Spec.Model}:{job.Spec.AdapterName}" : null;

    public static string Base(BaseWeights held) => held == BaseWeights.Q8 ? "q8" : "stored";

    public static string Method(TuningMethod method) => method == TuningMethod.Projector ? "projector" : "lora";
}

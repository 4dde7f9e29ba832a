using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Training;

/// <summary>
/// A fine-tuning job, keyed by <see cref="TrainingJobKey"/>: chooses its trainers, puts them into groups, keeps their checkpoints and publishes what they make. Every call may be repeated.
/// </summary>
[Alias("llava.training-job")]
public interface ITrainingJobGrain : ITenantScopedGrain
{
    /// <summary>Creates the job once, however often it is called.</summary>
    /// <returns>The job, or why there is none.</returns>
    [Alias("create")]
    Task<TrainingJobAnswer> CreateAsync(TrainingJobSpec spec, CancellationToken cancellationToken);

    /// <summary>Null where there is no such job.</summary>
    [Alias("get")]
    Task<TrainingJobInfo?> GetAsync(CancellationToken cancellationToken);

    /// <summary>Ends the job; an ended one stays as it is.</summary>
    [Alias("cancel")]
    Task<TrainingJobAnswer> CancelAsync(CancellationToken cancellationToken);

    /// <summary>Stops the trainers after a checkpoint and keeps the job.</summary>
    [Alias("pause")]
    Task<TrainingJobAnswer> PauseAsync(CancellationToken cancellationToken);

    /// <summary>Lets a paused job go on.</summary>
    [Alias("resume")]
    Task<TrainingJobAnswer> ResumeAsync(CancellationToken cancellationToken);

    /// <summary>Events after a sequence number, oldest first.</summary>
    [Alias("events")]
    Task<ImmutableArray<TrainingEvent>> EventsAsync(long after, int limit, CancellationToken cancellationToken);

    /// <summary>Events after a sequence number as they happen, to the last one of the job.</summary>
    [Alias("watch")]
    IAsyncEnumerable<TrainingEvent> WatchAsync(long after, CancellationToken cancellationToken);

    /// <summary>The checkpoints that are kept, the latest first.</summary>
    [Alias("checkpoints")]
    Task<ImmutableArray<TrainingCheckpoint>> CheckpointsAsync(CancellationToken cancellationToken);

    /// <summary>What is to become of an object that a trainer of the job has stored and may never have reported: it is deleted when the job has ended and nothing names it.</summary>
    /// <returns>False while the job has not ended, which may hear of it yet; to be asked again.</returns>
    [Alias("disown")]
    Task<bool> DisownAsync(ObjectId stored, CancellationToken cancellationToken);

    /// <summary>Cancels the job and removes all that is kept of it; nothing happens where there is none.</summary>
    [Alias("erase")]
    Task EraseAsync(CancellationToken cancellationToken);

    /// <summary>Does what is due: finds trainers, replaces lost ones, publishes. For the keeper, which calls it now and then.</summary>
    [Alias("tend")]
    Task TendAsync(CancellationToken cancellationToken);

    /// <summary>What a trainer has done, several times a minute; the answer says what it is to do.</summary>
    [Alias("report")]
    Task<TrainerOrder> ReportAsync(TrainerReport report, CancellationToken cancellationToken);
}

/// <summary>The job after a call, or why nothing was done.</summary>
[GenerateSerializer, Immutable, Alias("llava.training-job-answer")]
public sealed record TrainingJobAnswer([property: Id(0)] TrainingJobInfo? Job, [property: Id(1)] ChatFailure? Failure);

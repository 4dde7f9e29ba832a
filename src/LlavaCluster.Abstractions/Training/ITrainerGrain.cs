using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Training;

/// <summary>The part of a worker that trains on its device, keyed by <see cref="WorkerKey"/>. Works on one job at a time and holds nothing that a checkpoint does not.</summary>
[Alias("llava.trainer")]
public interface ITrainerGrain : IGrainWithStringKey
{
    /// <summary>Takes part in a job from now on: reads model and data, and opens a port for the other trainers. Repeating it changes nothing.</summary>
    /// <returns>Where the others reach it; null where it works on another job.</returns>
    [Alias("join")]
    Task<string?> JoinAsync(TrainerAssignment assignment, CancellationToken cancellationToken);

    /// <summary>Trains in a group. A group of a later generation takes the place of an earlier one.</summary>
    /// <returns>False where it has not joined the job.</returns>
    [Alias("train")]
    Task<bool> TrainAsync(TrainingJobKey job, TrainerGroup group, CancellationToken cancellationToken);

    /// <summary>Leaves the job at once and gives everything back; nothing happens where it works on none or another.</summary>
    [Alias("leave")]
    Task LeaveAsync(TrainingJobKey job, CancellationToken cancellationToken);
}

[GenerateSerializer, Immutable, Alias("llava.trainer-assignment")]
public sealed record TrainerAssignment([property: Id(0)] TrainingJobKey Job, [property: Id(1)] TrainingJobSpec Spec);

/// <summary>Trainers that compute each step together.</summary>
/// <param name="Generation">Grows with every group of the job.</param>
/// <param name="Rank">Of the trainer that is told, among <paramref name="Endpoints"/>.</param>
/// <param name="Endpoints">Of all, in the order of their ranks: <c>address:port</c>.</param>
/// <param name="Secret">They know each other by it.</param>
/// <param name="Checkpoints">To go on from where no member has a later state, the latest first; empty: from the beginning.</param>
[GenerateSerializer, Immutable, Alias("llava.trainer-group")]
public sealed record TrainerGroup(
    [property: Id(0)] long Generation,
    [property: Id(1)] int Rank,
    [property: Id(2)] ImmutableArray<string> Endpoints,
    [property: Id(3)] ImmutableArray<byte> Secret,
    [property: Id(4)] ImmutableArray<TrainingCheckpoint> Checkpoints);

/// <summary>What a trainer has done since its last report.</summary>
[GenerateSerializer, Immutable, Alias("llava.trainer-report")]
public sealed record TrainerReport
{
    [Id(0)]
    public required WorkerKey Trainer { get; init; }

    /// <summary>Of the group it works in; 0 before the first.</summary>
    [Id(1)]
    public required long Generation { get; init; }

    /// <summary>Grows with every report of a trainer; repeated ones count once.</summary>
    [Id(2)]
    public required long Number { get; init; }

    [Id(3)]
    public required TrainerPhase Phase { get; init; }

    /// <summary>Steps its state has done.</summary>
    [Id(4)]
    public long Step { get; init; }

    [Id(5)]
    public long TotalSteps { get; init; }

    [Id(6)]
    public long StepsPerEpoch { get; init; }

    /// <summary>Seconds of its device since its last report.</summary>
    [Id(7)]
    public double DeviceSeconds { get; init; }

    /// <summary>Learned tokens since then; of the first of the group only, for all.</summary>
    [Id(8)]
    public long TrainedTokens { get; init; }

    [Id(9)]
    public TrainingMetrics? Metrics { get; init; }

    /// <summary>A state it has stored.</summary>
    [Id(10)]
    public TrainingCheckpoint? Checkpoint { get; init; }

    /// <summary>What it made; with the phase Done.</summary>
    [Id(11)]
    public TrainingResult? Result { get; init; }

    /// <summary>Why it failed or its group broke, and what else is worth telling.</summary>
    [Id(12)]
    public string? Message { get; init; }

    /// <summary>Checkpoints it found damaged.</summary>
    [Id(13)]
    public ImmutableArray<ObjectId> Damaged { get; init; } = [];

    /// <summary>Where the other trainers reach it.</summary>
    [Id(14)]
    public required string Endpoint { get; init; }
}

[GenerateSerializer, Alias("llava.trainer-phase")]
public enum TrainerPhase
{
    /// <summary>Reads model and data.</summary>
    Preparing,

    /// <summary>Ready for a group.</summary>
    Waiting,

    Training,

    /// <summary>A member of its group was lost, or the group was told to part; its state is whole.</summary>
    Parted,

    /// <summary>All steps are done and the result is stored.</summary>
    Done,

    /// <summary>The job cannot be done: its data, its model or its numbers are bad. Other trainers would find the same.</summary>
    Failed,

    /// <summary>This trainer cannot go on, but another may: a full disk, a lost device.</summary>
    Unable,
}

/// <summary>What a trainer is to do.</summary>
[GenerateSerializer, Alias("llava.trainer-order")]
public enum TrainerOrder
{
    Continue,

    /// <summary>Part from the group after the last step of the epoch: others wait to join.</summary>
    PartAtEpochEnd,

    /// <summary>Part from the group after the step that it agrees on, and store a checkpoint.</summary>
    Part,

    /// <summary>Leave the job: it is over, or does without this trainer.</summary>
    Leave,
}

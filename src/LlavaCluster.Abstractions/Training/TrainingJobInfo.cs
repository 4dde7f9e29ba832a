using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Training;

/// <summary>Where a job stands.</summary>
[GenerateSerializer, Immutable, Alias("llava.training-job-info")]
public sealed record TrainingJobInfo
{
    [Id(0)]
    public required TrainingJobKey Key { get; init; }

    [Id(1)]
    public required TrainingJobSpec Spec { get; init; }

    [Id(2)]
    public required TrainingJobStatus Status { get; init; }

    [Id(3)]
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the first trainer began.</summary>
    [Id(4)]
    public DateTimeOffset? StartedAt { get; init; }

    [Id(5)]
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Steps done of <see cref="TotalSteps"/>; both 0 until the data were read.</summary>
    [Id(6)]
    public long Step { get; init; }

    [Id(7)]
    public long TotalSteps { get; init; }

    /// <summary>Learned tokens so far.</summary>
    [Id(8)]
    public long TrainedTokens { get; init; }

    /// <summary>Seconds of devices used, all trainers together.</summary>
    [Id(9)]
    public double DeviceSeconds { get; init; }

    /// <summary>Trainers that work on it now.</summary>
    [Id(10)]
    public ImmutableArray<string> Trainers { get; init; } = [];

    /// <summary>When it will be done at the pace so far.</summary>
    [Id(11)]
    public DateTimeOffset? EstimatedFinish { get; init; }

    /// <summary>Why it failed, or why it waits.</summary>
    [Id(12)]
    public string? Reason { get; init; }

    /// <summary>Of a job that succeeded.</summary>
    [Id(13)]
    public TrainingResult? Result { get; init; }
}

/// <summary>What a job made, and how it does on the records that it never learned.</summary>
/// <param name="Adapter">The adapter among the tenant's objects.</param>
/// <param name="BaseLoss">Mean loss a token of the base model; NaN where nothing was kept out.</param>
/// <param name="AdapterLoss">Of the base with the adapter.</param>
[GenerateSerializer, Immutable, Alias("llava.training-result")]
public sealed record TrainingResult(
    [property: Id(0)] ObjectId Adapter,
    [property: Id(1)] long Bytes,
    [property: Id(2)] double BaseLoss,
    [property: Id(3)] double AdapterLoss);

[GenerateSerializer, Alias("llava.training-job-status")]
public enum TrainingJobStatus
{
    /// <summary>Waits for a trainer.</summary>
    Queued,

    Running,

    /// <summary>By its tenant, or because a quota is used up; goes on where it was.</summary>
    Paused,

    Succeeded,
    Failed,
    Cancelled,
}

/// <summary>A saved state of a job that it can go on from.</summary>
/// <param name="Loss">Mean over the steps since the checkpoint before.</param>
[GenerateSerializer, Immutable, Alias("llava.training-checkpoint")]
public sealed record TrainingCheckpoint(
    [property: Id(0)] long Step,
    [property: Id(1)] ObjectId Object,
    [property: Id(2)] long Bytes,
    [property: Id(3)] DateTimeOffset At,
    [property: Id(4)] double Loss);

/// <summary>Something that happened to a job. Sequence numbers start at 1 and have no gaps.</summary>
[GenerateSerializer, Immutable, Alias("llava.training-event")]
public sealed record TrainingEvent
{
    [Id(0)]
    public required long Sequence { get; init; }

    [Id(1)]
    public required DateTimeOffset At { get; init; }

    [Id(2)]
    public required TrainingEventKind Kind { get; init; }

    [Id(3)]
    public required string Message { get; init; }

    /// <summary>With Progress.</summary>
    [Id(4)]
    public TrainingMetrics? Metrics { get; init; }
}

[GenerateSerializer, Alias("llava.training-event-kind")]
public enum TrainingEventKind
{
    Message,
    Warning,
    Error,
    Progress,
}

/// <param name="Loss">Mean a learned token since the last report.</param>
/// <param name="GradientNorm">Before clipping, of the last step.</param>
[GenerateSerializer, Immutable, Alias("llava.training-metrics")]
public sealed record TrainingMetrics(
    [property: Id(0)] long Step,
    [property: Id(1)] long TotalSteps,
    [property: Id(2)] double Loss,
    [property: Id(3)] double LearningRate,
    [property: Id(4)] double GradientNorm,
    [property: Id(5)] double TokensPerSecond,
    [property: Id(6)] double Epoch);

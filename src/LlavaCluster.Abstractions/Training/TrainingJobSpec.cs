using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Training;

/// <summary>What a job was asked to do; it never changes.</summary>
[GenerateSerializer, Immutable, Alias("llava.training-job-spec")]
public sealed record TrainingJobSpec
{
    /// <summary>The served base model.</summary>
    [Id(0)]
    public required string Model { get; init; }

    /// <summary>Conversations as JSON or JSON lines, among the tenant's objects.</summary>
    [Id(1)]
    public required ObjectId TrainingFile { get; init; }

    /// <summary>A zip of the pictures that the records name; null where they carry their pictures themselves.</summary>
    [Id(2)]
    public ObjectId? Images { get; init; }

    /// <summary>What judges the result; null: a part of the training file that is kept out.</summary>
    [Id(3)]
    public ObjectId? ValidationFile { get; init; }

    [Id(4)]
    public required TuningOptions Options { get; init; }

    /// <summary>The adapter's name: requests ask for <c>{Model}:{AdapterName}</c>. A name that exists gets a new version.</summary>
    [Id(5)]
    public required string AdapterName { get; init; }

    /// <summary>The share of the name's traffic the new version gets when the job ends, 0 to 1; a name without a version gives it all.</summary>
    [Id(6)]
    public double TrafficShare { get; init; } = 1;

    /// <summary>Trainers work together, as many as there are up to this.</summary>
    [Id(7)]
    public int MaxTrainers { get; init; } = 1;

    /// <summary>Steps between checkpoints; null: as many as take a minute.</summary>
    [Id(8)]
    public int? CheckpointEvery { get; init; }

    /// <summary>For the client's own use.</summary>
    [Id(9)]
    public string? Metadata { get; init; }
}

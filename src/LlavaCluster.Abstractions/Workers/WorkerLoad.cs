using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Workers;

/// <summary>What a worker tells every front several times a second. A report that stays away for some periods means the worker is gone.</summary>
[GenerateSerializer, Immutable, Alias("llava.worker-load")]
public sealed record WorkerLoad
{
    [Id(0)]
    public required WorkerKey Worker { get; init; }

    /// <summary>False while loading, draining or hung.</summary>
    [Id(1)]
    public required bool Ready { get; init; }

    [Id(2)]
    public required ImmutableArray<ModelCard> Models { get; init; }

    /// <summary>Turns that wait for the engine to begin them.</summary>
    [Id(4)]
    public int Waiting { get; init; }

    /// <summary>What it can train; null: nothing.</summary>
    [Id(5)]
    public TrainerCard? Trainer { get; init; }
}

/// <summary>A worker's trainer, as fronts know it.</summary>
/// <param name="Models">Bases it trains adapters for.</param>
/// <param name="Job">The job it has joined, <c>tenant/id</c>; null: free.</param>
[GenerateSerializer, Immutable, Alias("llava.trainer-card")]
public sealed record TrainerCard([property: Id(0)] ImmutableArray<string> Models, [property: Id(1)] string? Job);

/// <summary>What a front must know of a served model to validate a request and list it.</summary>
[GenerateSerializer, Immutable, Alias("llava.model-card")]
public sealed record ModelCard
{
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>Most tokens of prompt and answer together.</summary>
    [Id(1)]
    public required int ContextLength { get; init; }

    [Id(2)]
    public required int VocabSize { get; init; }

    /// <summary>Most tokens one picture takes.</summary>
    [Id(3)]
    public required int MaxImageTokens { get; init; }

    [Id(4)]
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>"f32", "bf16" ...</summary>
    [Id(5)]
    public string Precision { get; init; } = "";

    [Id(6)]
    public long Parameters { get; init; }
}

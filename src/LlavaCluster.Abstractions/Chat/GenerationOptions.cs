using System.Collections.Immutable;

namespace LlavaCluster.Abstractions.Chat;

/// <summary>How an answer is drawn. Values are already validated: the gateway's validator is the only maker outside tests.</summary>
[GenerateSerializer, Immutable, Alias("llava.generation-options")]
public sealed record GenerationOptions
{
    /// <summary>Most tokens of one choice.</summary>
    [Id(0)]
    public required int MaxTokens { get; init; }

    /// <summary>0 is greedy.</summary>
    [Id(1)]
    public double Temperature { get; init; } = 1;

    [Id(2)]
    public double TopP { get; init; } = 1;

    /// <summary>0 is off.</summary>
    [Id(3)]
    public int TopK { get; init; }

    [Id(4)]
    public double MinP { get; init; }

    /// <summary>1 is off.</summary>
    [Id(5)]
    public double RepetitionPenalty { get; init; } = 1;

    [Id(6)]
    public double FrequencyPenalty { get; init; }

    [Id(7)]
    public double PresencePenalty { get; init; }

    /// <summary>Always set before a turn is journaled, so that a resumed turn draws the same tokens.</summary>
    [Id(8)]
    public required ulong Seed { get; init; }

    [Id(9)]
    public ImmutableArray<string> Stop { get; init; } = [];

    [Id(10)]
    public ImmutableDictionary<int, float> LogitBias { get; init; } = ImmutableDictionary<int, float>.Empty;

    /// <summary>Null: no logprobs; otherwise the number of alternatives a token.</summary>
    [Id(11)]
    public int? TopLogprobs { get; init; }

    /// <summary>Choices drawn in parallel.</summary>
    [Id(12)]
    public int Choices { get; init; } = 1;

    [Id(13)]
    public OutputConstraint? Constraint { get; init; }

    [Id(14)]
    public bool IgnoreEos { get; init; }
}

/// <summary>What every answer must match: a JSON schema (empty text: any JSON object), a regular expression, or one of some choices.</summary>
[GenerateSerializer, Immutable, Alias("llava.output-constraint")]
public sealed record OutputConstraint([property: Id(0)] ConstraintKind Kind, [property: Id(1)] ImmutableArray<string> Texts);

[GenerateSerializer, Alias("llava.constraint-kind")]
public enum ConstraintKind
{
    JsonSchema,
    Regex,
    Choice,
}

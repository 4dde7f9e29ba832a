using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Requests;

/// <summary>What a client asked, of either protocol, with nothing believed yet. Null is "not given".</summary>
internal sealed record RawChatRequest
{
    public string? Model { get; init; }

    public ImmutableArray<RawMessage> Messages { get; init; } = [];

    /// <summary>The messages' name where the client's protocol has another.</summary>
    public string MessagesField { get; init; } = "messages";

    public RawOptions Options { get; init; } = new();

    /// <summary>The messages follow an earlier turn, so that a system message has no place among them.</summary>
    public bool Continues { get; init; }
}

/// <param name="Field">The message's path in the request, for error texts.</param>
internal sealed record RawMessage(string Field, ChatRole Role, ImmutableArray<RawPart> Parts);

/// <summary>A part as it came: exactly one of text, picture bytes, picture id and picture URL.</summary>
internal sealed record RawPart(string Field)
{
    public string? Text { get; init; }

    public ReadOnlyMemory<byte>? Image { get; init; }

    public string? ImageId { get; init; }

    public string? ImageUrl { get; init; }
}

/// <summary>Sampling fields as they came. Integers are wide so that a huge value reaches the check that names it.</summary>
internal sealed record RawOptions
{
    public long? MaxTokens { get; init; }

    /// <summary>The field's name where the client's protocol has several.</summary>
    public string MaxTokensField { get; init; } = "max_tokens";

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public long? TopK { get; init; }

    public double? MinP { get; init; }

    public double? RepetitionPenalty { get; init; }

    public double? FrequencyPenalty { get; init; }

    public double? PresencePenalty { get; init; }

    public long? Seed { get; init; }

    public ImmutableArray<string> Stop { get; init; } = [];

    /// <summary>Token id as text (JSON's keys are) and its bias.</summary>
    public ImmutableArray<KeyValuePair<string, double>> LogitBias { get; init; } = [];

    public bool Logprobs { get; init; }

    public long? TopLogprobs { get; init; }

    /// <summary>"n" in OpenAI's API, "options.choices" in gRPC.</summary>
    public long? Choices { get; init; }

    public string ChoicesField { get; init; } = "n";

    /// <summary>Whether the answer goes on to its token bound, past the model's own end. vLLM's extension.</summary>
    public bool IgnoreEos { get; init; }

    public ImmutableArray<RawConstraint> Constraints { get; init; } = [];
}

internal sealed record RawConstraint(string Field, ConstraintKind Kind, ImmutableArray<string> Texts);

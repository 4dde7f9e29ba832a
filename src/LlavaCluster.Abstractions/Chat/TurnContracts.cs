using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Chat;

/// <summary>
/// One question to a conversation. Turns form a tree: <see cref="Parent"/> is the turn this one follows, so that a regenerated answer is a sibling
/// and an edited question a branch. Null starts from the empty conversation; the grain's History tells the latest turn.
/// </summary>
[GenerateSerializer, Immutable, Alias("llava.turn-request")]
public sealed record TurnRequest
{
    /// <summary>Chosen by the client or its gateway; the same id begins the same turn once, however often it is sent.</summary>
    [Id(0)]
    public required Guid TurnId { get; init; }

    [Id(1)]
    public Guid? Parent { get; init; }

    /// <summary>What is added after the parent: system, user and (for clients that resend their history) assistant messages.</summary>
    [Id(2)]
    public required ImmutableArray<ChatMessage> Messages { get; init; }

    [Id(3)]
    public required GenerationOptions Options { get; init; }

    /// <summary>The model's name, or <c>base:adapter</c>.</summary>
    [Id(4)]
    public required string Model { get; init; }

    /// <summary>Two turns with the same key are sent to the same worker while it is healthy and not overloaded.</summary>
    [Id(5)]
    public required string AffinityKey { get; init; }

    [Id(6)]
    public TurnPriority Priority { get; init; } = TurnPriority.Normal;

    /// <summary>When the client stops waiting; null for never.</summary>
    [Id(7)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Worst-case tokens, for the quota's reservation.</summary>
    [Id(8)]
    public required int WorstCaseTokens { get; init; }

    /// <summary>A conversation that only serves one stateless call may be dropped some time after its turn ended.</summary>
    [Id(9)]
    public bool Transient { get; init; }

    /// <summary>Of a transient turn: the client chose its id, can find it again by it, and stops it. Otherwise it ends when its last reader leaves.</summary>
    [Id(10)]
    public bool ClientOwned { get; init; }

    /// <summary>The adapter's version that answers; the conversation chooses it when the turn begins. Null: the base model.</summary>
    [Id(11)]
    public ObjectId? Adapter { get; init; }
}

[GenerateSerializer, Alias("llava.turn-priority")]
public enum TurnPriority
{
    Batch,
    Normal,
    Interactive,
}

/// <summary>What came of BeginTurn: begun (or begun before, by the same id), or not, with the reason.</summary>
[GenerateSerializer, Immutable, Alias("llava.begin-turn-result")]
public sealed record BeginTurnResult
{
    [Id(0)]
    public ChatFailure? Failure { get; init; }

    /// <summary>The adapter's version that answers; null: the base model.</summary>
    [Id(1)]
    public ObjectId? Adapter { get; init; }

    public bool Begun => Failure is null;

    public static BeginTurnResult Accepted(ObjectId? adapter) => new() { Adapter = adapter };

    public static BeginTurnResult Refused(ChatFailure failure) => new() { Failure = failure };
}

/// <summary>Why a turn was refused or ended without an answer. One table in the gateway maps kinds to gRPC and HTTP status.</summary>
/// <param name="Message">For the client: the rule and the given value.</param>
/// <param name="Field">The request field that is wrong, if one is.</param>
[GenerateSerializer, Immutable, Alias("llava.chat-failure")]
public sealed record ChatFailure(
    [property: Id(0)] ChatFailureKind Kind,
    [property: Id(1)] string Message,
    [property: Id(2)] string? Field = null,
    [property: Id(3)] TimeSpan? RetryAfter = null);

[GenerateSerializer, Alias("llava.chat-failure-kind")]
public enum ChatFailureKind
{
    InvalidRequest,
    NotFound,
    Conflict,
    ModelNotFound,
    ContextExceeded,
    QuotaExceeded,
    Overloaded,
    ModelUnavailable,
    DeadlineExceeded,
    Cancelled,
    StorageFull,
    Internal,
}

/// <summary>
/// One step of a followed turn. Sequence numbers start at 1 and have no gaps; a reader resumes after the last it has seen.
/// A turn that is interrupted, and will go on, says so in a Completed event that repeats the last number.
/// </summary>
[GenerateSerializer, Immutable, Alias("llava.turn-event")]
public sealed record TurnEvent
{
    [Id(0)]
    public required long Sequence { get; init; }

    [Id(1)]
    public int Choice { get; init; }

    /// <summary>Text that became certain with this event; concatenated over a choice it is the answer.</summary>
    [Id(2)]
    public string Text { get; init; } = "";

    [Id(3)]
    public ImmutableArray<TokenLogprob> Logprobs { get; init; } = [];

    /// <summary>Set on the last event of a choice.</summary>
    [Id(4)]
    public FinishReason? Finish { get; init; }

    /// <summary>Set on the last event of the turn, together with <see cref="Usage"/> (as far as the prompt was counted) and, if the answer is not whole, <see cref="Failure"/>.</summary>
    [Id(5)]
    public bool Completed { get; init; }

    [Id(6)]
    public TokenUsage? Usage { get; init; }

    [Id(7)]
    public ChatFailure? Failure { get; init; }
}

[GenerateSerializer, Alias("llava.finish-reason")]
public enum FinishReason
{
    Stop,
    Length,
    Cancelled,
    Failed,
}

[GenerateSerializer, Immutable, Alias("llava.token-logprob")]
public sealed record TokenLogprob(
    [property: Id(0)] int Token,
    [property: Id(1)] string Text,
    [property: Id(2)] float Logprob,
    [property: Id(3)] ImmutableArray<TokenLogprob> Alternatives);

/// <param name="PromptTokens">Text and image tokens of the prompt together.</param>
/// <param name="CachedTokens">Prompt tokens whose KV was at hand.</param>
[GenerateSerializer, Immutable, Alias("llava.token-usage")]
public sealed record TokenUsage(
    [property: Id(0)] int PromptTokens,
    [property: Id(1)] int ImageTokens,
    [property: Id(2)] int CachedTokens,
    [property: Id(3)] int CompletionTokens);

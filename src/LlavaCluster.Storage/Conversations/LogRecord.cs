using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Storage.Conversations;

/// <summary>One entry of a conversation's log. A turn is begun once, completed once and settled once; its prompt is counted when a worker has it, and again when it is known how much of it was cached.</summary>
public abstract record LogRecord(Guid TurnId);

/// <summary>The conversation was created before its first turn; this record names no turn.</summary>
public sealed record ConversationCreated(DateTimeOffset At) : LogRecord(Guid.Empty);

/// <param name="Weight">The tenant's scheduling share when the turn was admitted.</param>
public sealed record TurnBegun(TurnRequest Request, DateTimeOffset At, double Weight) : LogRecord(Request.TurnId);

public sealed record PromptCounted(Guid TurnId, TokenUsage Usage) : LogRecord(TurnId);

public sealed record TokensEmitted(Guid TurnId, ImmutableArray<Emission> Emissions) : LogRecord(TurnId);

public sealed record TurnCompleted(Guid TurnId, DateTimeOffset At, TokenUsage? Usage, ChatFailure? Failure) : LogRecord(TurnId);

/// <summary>The quota's lease was replaced by the turn's true usage; nothing is left to do for the turn.</summary>
public sealed record TurnSettled(Guid TurnId) : LogRecord(TurnId);

/// <summary>One visible step of one choice: a token with the text it made certain, or an end, or both.</summary>
/// <param name="Token">-1 if no token was drawn.</param>
public readonly record struct Emission(int Choice, int Token, string Text, TokenLogprob? Logprob, FinishReason? Finish);

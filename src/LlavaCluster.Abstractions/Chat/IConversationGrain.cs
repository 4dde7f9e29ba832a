using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Chat;

/// <summary>
/// A conversation, keyed <c>{tenant}/{id}</c>: its turns in an append log, the answer in progress, and the pump that reads it from a model worker.
/// Begin, follow and complete are separate because a streaming method interleaves with everything and must not write state.
/// </summary>
[Alias("llava.conversation")]
public interface IConversationGrain : ITenantScopedGrain
{
    /// <summary>Journals that the conversation exists, without a turn. Null if it does now, also if it did before; otherwise why not.</summary>
    [Alias("create")]
    Task<ChatFailure?> CreateAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Journals the question and starts the answer. Idempotent by turn id: a repeated call with the same request is accepted, with another is a conflict.
    /// Deadline and seed do not make a request another one, because a retry redraws them; the first one's hold.
    /// </summary>
    [Alias("begin-turn")]
    Task<BeginTurnResult> BeginTurnAsync(TurnRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// The turn's events after <paramref name="afterSequence"/> (0: all), as they become durable, until one is Completed. Several readers may follow; leaving does not stop the turn.
    /// An unknown turn yields one Completed event with a NotFound failure.
    /// </summary>
    [Alias("follow")]
    IAsyncEnumerable<TurnEvent> FollowAsync(Guid turnId, long afterSequence, CancellationToken cancellationToken);

    /// <summary>Stops a running turn at the next token; what was said stays. False if it is not running.</summary>
    [Alias("cancel")]
    Task<bool> CancelAsync(Guid turnId, CancellationToken cancellationToken);

    /// <summary>As <see cref="CancelAsync"/>, unless somebody follows the turn. Readers may come through several gateways, and only the grain sees them all.</summary>
    [Alias("cancel-unread")]
    Task<bool> CancelUnreadAsync(Guid turnId, CancellationToken cancellationToken);

    /// <summary>The turns of this conversation in the order they began; null if it was neither created nor begun, or was deleted.</summary>
    [Alias("history")]
    Task<ConversationHistory?> HistoryAsync(CancellationToken cancellationToken);

    /// <summary>Wakes the conversation, so that turns which a lost front left running go on. Nothing happens otherwise.</summary>
    [Alias("resume")]
    Task ResumeAsync(CancellationToken cancellationToken);

    /// <summary>Deletes the conversation for good; false if there was none.</summary>
    [Alias("delete")]
    Task<bool> DeleteAsync(CancellationToken cancellationToken);
}

[GenerateSerializer, Immutable, Alias("llava.conversation-history")]
public sealed record ConversationHistory(
    [property: Id(0)] DateTimeOffset CreatedAt,
    [property: Id(1)] ImmutableArray<TurnView> Turns);

/// <summary>A turn as history shows it. <see cref="Answers"/> has one text a choice, as far as it is durable.</summary>
[GenerateSerializer, Immutable, Alias("llava.turn-view")]
public sealed record TurnView(
    [property: Id(0)] TurnRequest Request,
    [property: Id(1)] DateTimeOffset BegunAt,
    [property: Id(2)] bool Completed,
    [property: Id(3)] ImmutableArray<AnswerView> Answers,
    [property: Id(4)] TokenUsage? Usage,
    [property: Id(5)] ChatFailure? Failure);

[GenerateSerializer, Immutable, Alias("llava.answer-view")]
public sealed record AnswerView([property: Id(0)] string Text, [property: Id(1)] FinishReason? Finish);

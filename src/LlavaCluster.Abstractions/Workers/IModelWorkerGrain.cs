using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Workers;

/// <summary>
/// A device that runs a model, keyed by <see cref="WorkerKey"/>: a thin adapter over its silo's engine. Holds no state worth saving.
/// A front opens one line to it and asks for answers there; what all of them say comes along that line together, so that tokens of many answers share a message.
/// </summary>
[Alias("llava.model-worker")]
public interface IModelWorkerGrain : IGrainWithStringKey
{
    /// <summary>
    /// Opens a line and tells what its answers say, in order within each; the first batch is empty and says that it is open. Leaving the enumeration or cancelling aborts
    /// all answers of the line and gives everything back.
    /// </summary>
    /// <param name="line">A new one for every enumeration.</param>
    [Alias("listen")]
    IAsyncEnumerable<AnswerBatch> ListenAsync(Guid line, CancellationToken cancellationToken);

    /// <summary>
    /// Asks for an answer to a conversation, going on after the tokens in <see cref="GenerateRequest.Journal"/>. It ends with an update that is Completed, or breaks off
    /// (<see cref="AnswerUpdate.Update"/> is null).
    /// </summary>
    /// <param name="answer">Names the answer on its line; used once.</param>
    /// <returns>False where the line is not open.</returns>
    [Alias("ask")]
    Task<bool> AskAsync(Guid line, long answer, GenerateRequest request);

    /// <summary>Aborts an answer and gives everything back; nothing happens where it has ended.</summary>
    [Alias("leave")]
    Task LeaveAsync(Guid line, long answer);

    /// <summary>Reads an adapter of a tenant as for an answer, and keeps nothing of it.</summary>
    /// <returns>Why it cannot be used with the model that is served here; null where it can.</returns>
    [Alias("check-adapter"), ResponseTimeout("00:02:00")]
    Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken);

    /// <summary>Ends a tenant's requests, leaves its job, and forgets all that is cached and copied for it.</summary>
    /// <returns>What went of the caches; null while requests or the trainer still end: to be asked again.</returns>
    [Alias("erase")]
    Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken);
}

/// <summary>What some answers of a line said, in the order they said it.</summary>
[GenerateSerializer, Immutable, Alias("llava.answer-batch")]
public sealed record AnswerBatch([property: Id(0)] ImmutableArray<AnswerUpdate> Updates);

/// <param name="Answer">As it was asked for.</param>
/// <param name="Update">Null where the answer broke off for no reason that another worker must share.</param>
[GenerateSerializer, Immutable, Alias("llava.answer-update")]
public readonly record struct AnswerUpdate([property: Id(0)] long Answer, [property: Id(1)] GenerateUpdate? Update);

[GenerateSerializer, Immutable, Alias("llava.generate-request")]
public sealed record GenerateRequest
{
    [Id(0)]
    public required TenantId Tenant { get; init; }

    [Id(1)]
    public required Guid TurnId { get; init; }

    [Id(2)]
    public required string Model { get; init; }

    /// <summary>The whole conversation up to the question, oldest first.</summary>
    [Id(3)]
    public required ImmutableArray<ChatMessage> Messages { get; init; }

    [Id(4)]
    public required GenerationOptions Options { get; init; }

    /// <summary>Tokens already journaled, one list a choice: they were said, and the answer goes on after them.</summary>
    [Id(5)]
    public required ImmutableArray<ImmutableArray<int>> Journal { get; init; }

    [Id(6)]
    public TurnPriority Priority { get; init; }

    [Id(7)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Choices whose answer was finished before, and how; they generate nothing more.</summary>
    [Id(8)]
    public ImmutableArray<FinishReason?> Finished { get; init; } = [];

    /// <summary>The tenant's share in token-fair scheduling.</summary>
    [Id(10)]
    public double Weight { get; init; } = 1;

    /// <summary>The LoRA adapter, among the tenant's objects; null for the base model.</summary>
    [Id(11)]
    public ObjectId? Adapter { get; init; }
}

/// <summary>A token of one choice, the count of the prompt (first, with <see cref="Usage"/>), or the end of the turn.</summary>
[GenerateSerializer, Immutable, Alias("llava.generate-update")]
public sealed record GenerateUpdate
{
    [Id(0)]
    public int Choice { get; init; }

    /// <summary>The token drawn; -1 where this update only releases held-back text or ends something.</summary>
    [Id(1)]
    public int Token { get; init; } = -1;

    [Id(2)]
    public string Text { get; init; } = "";

    [Id(3)]
    public TokenLogprob? Logprob { get; init; }

    /// <summary>Stop or Length on the last update of a choice that is whole; of one that is not, only <see cref="Failure"/> tells.</summary>
    [Id(4)]
    public FinishReason? Finish { get; init; }

    [Id(5)]
    public bool Completed { get; init; }

    [Id(6)]
    public TokenUsage? Usage { get; init; }

    /// <summary>With Completed: nothing more will come, for this reason. Overloaded and ModelUnavailable may be tried on another worker.</summary>
    [Id(7)]
    public ChatFailure? Failure { get; init; }
}

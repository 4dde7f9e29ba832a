using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Workers;

/// <summary>A device that runs a model, keyed by <see cref="WorkerKey"/>: a thin adapter over its silo's engine. Holds no state worth saving.</summary>
[Alias("llava.model-worker")]
public interface IModelWorkerGrain : IGrainWithStringKey
{
    /// <summary>
    /// Answers a conversation, going on after the tokens in <see cref="GenerateRequest.Journal"/>. Ends with an update that is Completed.
    /// Leaving the enumeration or cancelling aborts the generation and gives everything back.
    /// </summary>
    [Alias("generate")]
    IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, CancellationToken cancellationToken);
}

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

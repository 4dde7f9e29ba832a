using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Workers;

/// <summary>The engine of one device, as its worker's grain sees it. Not a grain: it lives in the worker's process. Members may be called from any thread.</summary>
public interface IEngineHost
{
    /// <summary>Loaded models; empty while loading.</summary>
    ImmutableArray<ModelCard> Models { get; }

    EngineStatus Status { get; }

    /// <summary>
    /// Answers a conversation, going on after the tokens in <see cref="GenerateRequest.Journal"/>. Ends with an update that is Completed; failures that concern the request or
    /// the load are that update, not exceptions. The first update counts the prompt (<see cref="GenerateUpdate.Usage"/> without Completed). Leaving the enumeration or cancelling aborts
    /// the generation and gives everything back.
    /// </summary>
    IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, CancellationToken cancellationToken);

    /// <summary>Why a stored adapter cannot be used with the model; null where it can. Keeps nothing of it.</summary>
    Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken);

    /// <summary>Ends a tenant's requests and forgets all that is cached for it.</summary>
    /// <returns>What went; null while some of its requests still end: to be asked again.</returns>
    Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken);
}

/// <summary>What a worker reports of its engine; the engine's own metrics tell the rest.</summary>
/// <param name="Ready">False while loading, draining or hung.</param>
public readonly record struct EngineStatus(bool Ready, int Waiting);

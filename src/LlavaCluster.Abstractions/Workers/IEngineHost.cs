using System.Collections.Immutable;

namespace LlavaCluster.Abstractions.Workers;

/// <summary>The engine of one device, as its worker's grain sees it. Not a grain: it lives in the worker's process. Members may be called from any thread.</summary>
public interface IEngineHost
{
    /// <summary>Loaded models; empty while loading.</summary>
    ImmutableArray<ModelCard> Models { get; }

    EngineStatus Status { get; }

    /// <summary>
    /// As <see cref="IModelWorkerGrain.GenerateAsync"/>: failures that concern the request or the load are the last update, not exceptions.
    /// The first update counts the prompt (<see cref="GenerateUpdate.Usage"/> without Completed).
    /// </summary>
    IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, CancellationToken cancellationToken);
}

/// <summary>What a worker reports of its engine; the engine's own metrics tell the rest.</summary>
/// <param name="Ready">False while loading, draining or hung.</param>
public readonly record struct EngineStatus(bool Ready, int Waiting);

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Storage.Training;

/// <summary>What is durable of fine-tuning jobs: their state, their events and the checkpoints that are kept. Versions fence writers, as they do at tenants.</summary>
public interface ITrainingStore
{
    /// <summary>Null for a job that was never written.</summary>
    Task<TrainingJobRecord?> ReadAsync(TrainingJobKey job, CancellationToken cancellationToken);

    /// <summary>Writes a job's state and what happened, whole or not at all, and raises its version by one.</summary>
    /// <param name="version">The version the caller has seen, 0 for a new job; if it is another by now the write is a conflict.</param>
    /// <param name="events">Those that follow the ones that are stored.</param>
    /// <returns>Null if it is durable.</returns>
    Task<StorageFault?> WriteAsync(long version, TrainingJobRecord record, ImmutableArray<TrainingEvent> events, CancellationToken cancellationToken);

    /// <summary>Events after a sequence number, oldest first.</summary>
    Task<ImmutableArray<TrainingEvent>> EventsAsync(TrainingJobKey job, long after, int limit, CancellationToken cancellationToken);

    /// <summary>A tenant's jobs created before one, or the latest: the latest first.</summary>
    Task<ImmutableArray<TrainingJobInfo>> ListAsync(TenantId tenant, string? before, int limit, CancellationToken cancellationToken);

    /// <summary>Removes a job and its events; the objects it names stay.</summary>
    /// <exception cref="IOException">The store did not take the write.</exception>
    Task DeleteAsync(TrainingJobKey job, CancellationToken cancellationToken);

    /// <summary>How many of a tenant's jobs have not ended.</summary>
    Task<int> CountUnfinishedAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>Whether some job of a tenant names an object, as a checkpoint or otherwise: equal states of two jobs are one object.</summary>
    Task<bool> IsNamedAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken);

    /// <summary>A job that has not ended and needs a file to train on or to judge by; null where none does.</summary>
    Task<TrainingJobKey?> NeedingAsync(TenantId tenant, ObjectId file, CancellationToken cancellationToken);

    /// <summary>The jobs of all tenants that have not ended, the oldest first.</summary>
    Task<ImmutableArray<TrainingJobKey>> UnfinishedAsync(CancellationToken cancellationToken);
}

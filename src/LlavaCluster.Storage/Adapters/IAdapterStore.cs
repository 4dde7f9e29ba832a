using System.Collections.Immutable;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Adapters;

/// <summary>What is durable of a tenant's adapters: names, versions and where their traffic goes. Versions of the whole fence writers, as they do at tenants.</summary>
public interface IAdapterStore
{
    /// <summary>A tenant's adapters; for one that has none, an empty record of version 0.</summary>
    Task<AdapterRecord> ReadAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>Replaces the record and raises its version by one.</summary>
    /// <param name="record">Of the version that the caller has seen; if it is another by now the write is a conflict.</param>
    /// <returns>Null if it is durable.</returns>
    Task<StorageFault?> WriteAsync(TenantId tenant, AdapterRecord record, CancellationToken cancellationToken);

    /// <summary>Removes a tenant's record.</summary>
    /// <exception cref="IOException">The store did not take the write.</exception>
    Task DeleteAsync(TenantId tenant, CancellationToken cancellationToken);
}

public sealed record AdapterRecord(long Version, ImmutableArray<StoredAdapter> Adapters);

/// <param name="Before">Where the traffic went before, the latest first; so far it can be rolled back.</param>
public sealed record StoredAdapter(AdapterInfo Info, ImmutableArray<AdapterTraffic> Before);

public sealed record AdapterTraffic(ObjectId InUse, ObjectId? OnTrial, double TrialShare);

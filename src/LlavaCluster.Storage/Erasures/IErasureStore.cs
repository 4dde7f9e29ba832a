using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;

namespace LlavaCluster.Storage.Erasures;

/// <summary>What is durable of the erasures of tenants, each tenant's last one, and what is left to erase. Versions fence writers, as they do at tenants.</summary>
public interface IErasureStore
{
    /// <summary>Null where a tenant was never erased.</summary>
    Task<ErasureRecord?> ReadAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>Replaces the record and raises its version by one.</summary>
    /// <param name="record">Of the version that the caller has seen, 0 where there was none; if it is another by now the write is a conflict.</param>
    /// <returns>Null if it is durable.</returns>
    Task<StorageFault?> WriteAsync(TenantId tenant, ErasureRecord record, CancellationToken cancellationToken);

    /// <summary>Tenants whose erasure goes on.</summary>
    Task<ImmutableArray<TenantId>> UnfinishedAsync(CancellationToken cancellationToken);

    /// <summary>What there is of a tenant beside its objects, which another store has.</summary>
    Task<TenantContents> CountAsync(TenantId tenant, CancellationToken cancellationToken);
}

public sealed record ErasureRecord(long Version, TenantErasure Erasure);

using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Tenants;

/// <summary>What is durable of tenants: keys (hashed), quotas, leases and usage. Versions fence writers, as positions do in the conversation log.</summary>
public interface ITenantStore
{
    /// <summary>A tenant's record; for one that was never written, an empty record of version 0.</summary>
    Task<TenantRecord> ReadAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>Applies a change whole or not at all and raises the version by one.</summary>
    /// <param name="version">The version the caller has seen; if it is another by now the write is a conflict.</param>
    /// <returns>Null if the change is durable.</returns>
    Task<StorageFault?> WriteAsync(TenantId tenant, long version, TenantChange change, CancellationToken cancellationToken);

    /// <summary>Removes all of a tenant, its usage too.</summary>
    /// <exception cref="IOException">The store did not take the write; a repeated call goes on.</exception>
    Task DeleteAsync(TenantId tenant, CancellationToken cancellationToken);
}

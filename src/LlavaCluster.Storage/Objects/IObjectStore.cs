using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Objects;

/// <summary>Immutable objects named by the SHA-256 of their bytes, each tenant's apart from every other's. Members may be called from any thread and process.</summary>
public interface IObjectStore
{
    /// <summary>Stores bytes durably; storing what is there already changes nothing.</summary>
    /// <returns>Null if the object is durable.</returns>
    Task<StorageFault?> PutAsync(TenantId tenant, ImageId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>The object as a stream that the caller disposes, or null if the tenant has no such object.</summary>
    Task<Stream?> OpenAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken);

    Task<bool> DeleteAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken);

    /// <summary>Count and bytes of a tenant's objects.</summary>
    Task<ObjectTotals> TotalsAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>Removes all objects of a tenant and returns what was removed.</summary>
    Task<ObjectTotals> EraseAsync(TenantId tenant, CancellationToken cancellationToken);
}

public readonly record struct ObjectTotals(long Count, long Bytes);

using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Objects;

/// <summary>Immutable objects named by the SHA-256 of their bytes, each tenant's apart from every other's. Members may be called from any thread and process.</summary>
public interface IObjectStore
{
    /// <summary>Stores bytes durably; storing what is there already changes nothing.</summary>
    /// <returns>Null if the object is durable.</returns>
    Task<StorageFault?> PutAsync(TenantId tenant, ObjectId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Stores what a stream holds, however much that is, and names it.</summary>
    /// <param name="mostBytes">A longer stream is not stored.</param>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    Task<StoredObject> PutAsync(TenantId tenant, Stream content, long mostBytes, CancellationToken cancellationToken);

    /// <summary>The object as a stream that can be sought and that the caller disposes, or null if the tenant has no such object.</summary>
    Task<Stream?> OpenAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken);

    Task<bool> DeleteAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes an object unless it is needed. What is needed is not touched; of the rest it is asked again when it is no longer there: who makes it needed and finds it after that keeps it, for it is put
    /// back, also where the question fails.
    /// </summary>
    Task DeleteUnlessAsync(TenantId tenant, ObjectId id, Func<Task<bool>> isNeeded);

    /// <summary>Count and bytes of a tenant's objects.</summary>
    Task<ObjectTotals> TotalsAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>Removes all objects of a tenant and returns what was removed.</summary>
    Task<ObjectTotals> EraseAsync(TenantId tenant, CancellationToken cancellationToken);
}

public readonly record struct ObjectTotals(long Count, long Bytes);

/// <summary>What came of storing a stream.</summary>
/// <param name="Fault">Null if the object is durable.</param>
/// <param name="TooLong">Nothing was stored, for that reason.</param>
public readonly record struct StoredObject(ObjectId Id, long Bytes, StorageFault? Fault = null, bool TooLong = false);

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Files;

/// <summary>What tenants uploaded under names: who the objects are that files have for their content. Knows nothing of the bytes.</summary>
public interface IFileStore
{
    /// <summary>Keeps a file. One of the same content is the same file: it gets the new name and purpose and keeps its age.</summary>
    /// <returns>Null if it is durable.</returns>
    Task<StorageFault?> PutAsync(TenantId tenant, StoredFile file, CancellationToken cancellationToken);

    /// <summary>Null where the tenant has no such file.</summary>
    Task<StoredFile?> FindAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken);

    Task<ImmutableArray<StoredFile>> ListAsync(TenantId tenant, FileQuery query, CancellationToken cancellationToken);

    /// <summary>Forgets a file; its object stays.</summary>
    /// <returns>False where there was none.</returns>
    Task<bool> RemoveAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken);

    /// <summary>Forgets all files of a tenant; their objects stay.</summary>
    /// <exception cref="IOException">The store did not take the write.</exception>
    Task EraseAsync(TenantId tenant, CancellationToken cancellationToken);
}

/// <param name="Id">The object that has the bytes.</param>
/// <param name="Name">What the client calls it.</param>
/// <param name="Purpose">OpenAI's word for what it is for.</param>
public sealed record StoredFile(ObjectId Id, string Name, string Purpose, long Bytes, DateTimeOffset CreatedAt);

/// <summary>A part of a tenant's files, in the order of their age.</summary>
/// <param name="Purpose">Null: any.</param>
/// <param name="After">The file before the first; null: from the beginning. After one that is not there comes nothing.</param>
public sealed record FileQuery(string? Purpose, ObjectId? After, bool OldestFirst, int Limit);

using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A store that tells when streams have been stored.</summary>
internal sealed class WatchedObjects(IObjectStore objects) : IObjectStore
{
    private readonly SemaphoreSlim _stored = new(0);

    /// <summary>Waits until so many more have been.</summary>
    public async Task StoredAsync(int count, CancellationToken cancellationToken)
    {
        for (var i = 0; i < count; i++)
        {
            await _stored.WaitAsync(cancellationToken);
        }
    }

    public async Task<StoredObject> PutAsync(TenantId tenant, Stream content, long mostBytes, CancellationToken cancellationToken)
    {
        var stored = await objects.PutAsync(tenant, content, mostBytes, cancellationToken);
        _stored.Release();
        return stored;
    }

    public Task<StorageFault?> PutAsync(TenantId tenant, ObjectId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => objects.PutAsync(tenant, id, content, cancellationToken);

    public Task<Stream?> OpenAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => objects.OpenAsync(tenant, id, cancellationToken);

    public Task<bool> DeleteAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => objects.DeleteAsync(tenant, id, cancellationToken);

    public Task DeleteUnlessAsync(TenantId tenant, ObjectId id, Func<Task<bool>> isNeeded) => objects.DeleteUnlessAsync(tenant, id, isNeeded);

    public Task<ObjectTotals> TotalsAsync(TenantId tenant, CancellationToken cancellationToken) => objects.TotalsAsync(tenant, cancellationToken);

    public Task<ObjectTotals> EraseAsync(TenantId tenant, CancellationToken cancellationToken) => objects.EraseAsync(tenant, cancellationToken);
}

using System.Collections.Concurrent;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Worker.Serving;

/// <summary>Objects that live as long as this. Thread-safe.</summary>
internal sealed class MemoryObjects : IObjectStore
{
    private readonly ConcurrentDictionary<(TenantId, ImageId), byte[]> _objects = new();

    public Task<StorageFault?> PutAsync(TenantId tenant, ImageId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        _objects.TryAdd((tenant, id), content.ToArray());
        return Task.FromResult<StorageFault?>(null);
    }

    public Task<Stream?> OpenAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken) =>
        Task.FromResult<Stream?>(_objects.TryGetValue((tenant, id), out var bytes) ? new MemoryStream(bytes, writable: false) : null);

    public Task<bool> DeleteAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken) => Task.FromResult(_objects.TryRemove((tenant, id), out _));

    public Task<ObjectTotals> TotalsAsync(TenantId tenant, CancellationToken cancellationToken) => Task.FromResult(Total(tenant));

    public Task<ObjectTotals> EraseAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        var total = Total(tenant);
        foreach (var key in _objects.Keys.Where(key => key.Item1 == tenant))
        {
            _objects.TryRemove(key, out _);
        }

        return Task.FromResult(total);
    }

    private ObjectTotals Total(TenantId tenant)
    {
        var own = _objects.Where(entry => entry.Key.Item1 == tenant).ToList();
        return new ObjectTotals(own.Count, own.Sum(entry => (long)entry.Value.Length));
    }
}

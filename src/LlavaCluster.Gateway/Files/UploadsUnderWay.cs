using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Files;

/// <summary>
/// The uploads of this process from their first byte to their name. What one that failed has stored may be what another has stored too, and not named yet: it goes when the tenant's last upload
/// has ended, unless it has a name by then. Safe for use by many threads.
/// </summary>
internal sealed class UploadsUnderWay(IObjectStore store)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TenantId, Uploads> _tenants = [];

    public void Enter(TenantId tenant)
    {
        lock (_gate)
        {
            if (!_tenants.TryGetValue(tenant, out var uploads))
            {
                _tenants.Add(tenant, uploads = new Uploads());
            }

            uploads.Count++;
        }
    }

    /// <summary>An upload has ended.</summary>
    /// <param name="failed">What it stored and gave no name; null for nothing.</param>
    /// <param name="isNamed">Whether an object has a name, of whatever kind this upload gives.</param>
    public async Task LeaveAsync(TenantId tenant, ObjectId? failed, Func<ObjectId, Task<bool>> isNamed)
    {
        foreach (var dropped in Leave(tenant, failed))
        {
            await store.DeleteUnlessAsync(tenant, dropped, async () => await isNamed(dropped) || TryDefer(tenant, dropped));
        }
    }

    private List<ObjectId> Leave(TenantId tenant, ObjectId? failed)
    {
        lock (_gate)
        {
            var uploads = _tenants[tenant];
            if (failed is { } id)
            {
                uploads.Failed.Add(id);
            }

            if (--uploads.Count > 0)
            {
                return [];
            }

            _tenants.Remove(tenant);
            return [.. uploads.Failed];
        }
    }

    /// <summary>One that came meanwhile may find the object there, and has to leave before it goes.</summary>
    private bool TryDefer(TenantId tenant, ObjectId id)
    {
        lock (_gate)
        {
            if (!_tenants.TryGetValue(tenant, out var uploads))
            {
                return false;
            }

            uploads.Failed.Add(id);
            return true;
        }
    }

    private sealed class Uploads
    {
        public int Count { get; set; }

        public HashSet<ObjectId> Failed { get; } = [];
    }
}

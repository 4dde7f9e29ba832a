using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Grains.Tenants;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Erasures;

namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Where every request of a tenant comes in, and none while the tenant is erased. It opens again when the store says that the erasure is over, so nobody has to tell it.
/// Safe for use by many threads.
/// </summary>
/// <param name="erasures">Null in a process that has no store and no API: there it stays open.</param>
internal sealed class TenantDoor(KeyVerifier keys, TimeProvider time, IErasureStore? erasures = null) : ITenantDoor
{
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private readonly Dictionary<TenantId, Closing> _closed = []; // no more than tenants that were erased while this process lives
    private readonly TenantWork _requests = new();

    public bool Close(TenantId tenant)
    {
        lock (_gate)
        {
            _closed[tenant] = new Closing(time.GetTimestamp());
        }

        keys.Forget(tenant);
        return _requests.End(tenant);
    }

    /// <summary>Closes it for the tenants that are being erased already, before the first request comes.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        foreach (var tenant in erasures is null ? [] : await erasures.UnfinishedAsync(cancellationToken))
        {
            Close(tenant);
        }
    }

    /// <summary>Lets a request in; it is inside until the result is disposed.</summary>
    /// <param name="end">Ends the request.</param>
    /// <returns>Null where the door is closed.</returns>
    public async ValueTask<IDisposable?> EnterAsync(TenantId tenant, Action end, CancellationToken cancellationToken)
    {
        await IsClosedAsync(tenant, AskEvery, cancellationToken);
        lock (_gate)
        {
            return _closed.ContainsKey(tenant) ? null : _requests.Enter(tenant, end);
        }
    }

    /// <summary>Whether a tenant is being erased at this moment.</summary>
    public ValueTask<bool> IsClosedAsync(TenantId tenant, CancellationToken cancellationToken) => IsClosedAsync(tenant, TimeSpan.Zero, cancellationToken);

    /// <param name="age">Of an answer that is good enough.</param>
    private async ValueTask<bool> IsClosedAsync(TenantId tenant, TimeSpan age, CancellationToken cancellationToken)
    {
        Closing? closing;
        lock (_gate)
        {
            if (!_closed.TryGetValue(tenant, out closing) || time.GetElapsedTime(closing.AskedAt) < age)
            {
                return closing is not null;
            }

            closing = _closed[tenant] = new Closing(time.GetTimestamp());
        }

        if ((await erasures!.ReadAsync(tenant, cancellationToken))?.Erasure is { FinishedAt: null })
        {
            return true;
        }

        lock (_gate)
        {
            if (_closed.GetValueOrDefault(tenant) == closing) // and not what another erasure has closed meanwhile
            {
                _closed.Remove(tenant);
            }

            return _closed.ContainsKey(tenant);
        }
    }

    private sealed class Closing(long askedAt)
    {
        public long AskedAt => askedAt;
    }
}

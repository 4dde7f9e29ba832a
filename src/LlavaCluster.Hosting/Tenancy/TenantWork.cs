using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Hosting.Tenancy;

/// <summary>What a process does for each tenant at the moment, so that all of one tenant's can be ended. Members may be called from any thread.</summary>
public sealed class TenantWork
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TenantId, HashSet<Piece>> _pieces = [];

    /// <summary>Some work begins; it ends when the result is disposed.</summary>
    /// <param name="end">Tells the work to end. May be called more than once, from any thread, and not after the end.</param>
    public IDisposable Enter(TenantId tenant, Action end)
    {
        var piece = new Piece(this, tenant, end);
        lock (_gate)
        {
            if (!_pieces.TryGetValue(tenant, out var pieces))
            {
                _pieces.Add(tenant, pieces = []);
            }

            pieces.Add(piece);
        }

        return piece;
    }

    /// <summary>Tells all of a tenant's work to end.</summary>
    /// <returns>Whether none is left.</returns>
    public bool End(TenantId tenant)
    {
        lock (_gate)
        {
            if (!_pieces.TryGetValue(tenant, out var pieces))
            {
                return true;
            }

            foreach (var piece in pieces.ToArray())
            {
                piece.End();
            }

            return pieces.Count == 0;
        }
    }

    private void Leave(Piece piece)
    {
        lock (_gate)
        {
            if (_pieces.TryGetValue(piece.Tenant, out var pieces) && pieces.Remove(piece) && pieces.Count == 0)
            {
                _pieces.Remove(piece.Tenant);
            }
        }
    }

    private sealed class Piece(TenantWork work, TenantId tenant, Action end) : IDisposable
    {
        public TenantId Tenant => tenant;

        public void End() => end();

        public void Dispose() => work.Leave(this);
    }
}

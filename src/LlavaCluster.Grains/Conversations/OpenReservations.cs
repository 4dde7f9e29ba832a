using LlavaCluster.Abstractions.Tenants;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// When turns were begun whose reservation is not answered. It may have been made and its reply lost: the same call sent again must ask for the same lease, and not for a
/// second one. Kept for as long as such a lease lives.
/// </summary>
internal sealed class OpenReservations(TimeProvider clock)
{
    private readonly Dictionary<Guid, DateTimeOffset> _begun = [];

    /// <summary>The beginning of a turn's open reservation, or now, which opens one.</summary>
    public DateTimeOffset Open(Guid turn)
    {
        var now = clock.GetUtcNow();
        foreach (var (old, at) in _begun)
        {
            if (at + TenantQuota.LeaseLife <= now)
            {
                _begun.Remove(old);
            }
        }

        _begun.TryAdd(turn, now);
        return _begun[turn];
    }

    public void Close(Guid turn) => _begun.Remove(turn);
}

using System.Globalization;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Tenants;

namespace LlavaCluster.Grains.Tenants;

/// <summary>
/// The arithmetic of a tenant's quotas over the last minute: a turn counts with its worst case until it is settled, then with what it used.
/// Plain values; no clock, no store.
/// </summary>
internal sealed class QuotaLedger
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private readonly Dictionary<Guid, StoredLease> _leases = [];

    public QuotaLedger(TenantQuota quota, IEnumerable<StoredLease> leases)
    {
        Quota = quota;
        foreach (var lease in leases)
        {
            _leases.Add(lease.LeaseId, lease);
        }
    }

    public TenantQuota Quota { get; set; }

    public int Running(DateTimeOffset now) => _leases.Values.Count(lease => IsHeld(lease, now));

    public StoredLease? Find(Guid id) => _leases.GetValueOrDefault(id);

    /// <summary>Leases that count for nothing any more.</summary>
    public IEnumerable<Guid> Stale(DateTimeOffset now) => _leases.Values
        .Where(lease => lease.Settled ? lease.BegunAt + Window <= now : lease.ExpiresAt <= now)
        .Select(lease => lease.LeaseId);

    /// <summary>The lease to store for a turn, or the refusal. Nothing changes until <see cref="Put"/>.</summary>
    public (StoredLease? Lease, ChatFailure? Refused) Reserve(Guid id, int worstCase, DateTimeOffset now)
    {
        if (_leases.TryGetValue(id, out var held) && (held.Settled || IsHeld(held, now)))
        {
            return (held.Settled ? held : held with { ExpiresAt = now + TenantQuota.LeaseLife }, null);
        }

        var refused = Refusal(worstCase, now);
        return refused is null ? (new StoredLease(id, worstCase, now, now + TenantQuota.LeaseLife, Settled: false), null) : (null, refused);
    }

    public void Put(StoredLease lease) => _leases[lease.LeaseId] = lease;

    public void Drop(Guid id) => _leases.Remove(id);

    private static bool IsHeld(StoredLease lease, DateTimeOffset now) => !lease.Settled && lease.ExpiresAt > now;

    private ChatFailure? Refusal(int worstCase, DateTimeOffset now)
    {
        var running = Running(now);
        if (running >= Quota.ConcurrentTurns)
        {
            return Refused($"concurrent turns must be <= {Quota.ConcurrentTurns}; {running} are running.", TimeSpan.FromSeconds(1));
        }

        var recent = _leases.Values
            .Where(lease => lease.BegunAt + Window > now && (lease.Settled || lease.ExpiresAt > now))
            .OrderBy(lease => lease.BegunAt)
            .ToArray();
        if (recent.Length >= Quota.RequestsPerMinute)
        {
            var after = Quota.RequestsPerMinute > 0 ? recent[recent.Length - Quota.RequestsPerMinute.Value].BegunAt + Window - now : (TimeSpan?)null;
            return Refused($"requests a minute must be <= {Quota.RequestsPerMinute}; {recent.Length} were begun in the last.", after);
        }

        return Quota.TokensPerMinute is { } most ? TokenRefusal(recent, worstCase, most, now) : null;
    }

    private static ChatFailure? TokenRefusal(StoredLease[] recent, int worstCase, int most, DateTimeOffset now)
    {
        var used = recent.Sum(lease => (long)lease.Tokens);
        if (used + worstCase <= most)
        {
            return null;
        }

        var message = string.Create(
            CultureInfo.InvariantCulture,
            $"tokens a minute must be <= {most}; {used} are used or reserved and this turn may take {worstCase}.");
        foreach (var lease in recent)
        {
            used -= lease.Tokens;
            if (used + worstCase <= most)
            {
                return Refused(message, lease.BegunAt + Window - now);
            }
        }

        // No wait makes room for a turn that is larger than the whole quota.
        return Refused(message, null);
    }

    private static ChatFailure Refused(string message, TimeSpan? retryAfter) => new(ChatFailureKind.QuotaExceeded, message, null, retryAfter);
}

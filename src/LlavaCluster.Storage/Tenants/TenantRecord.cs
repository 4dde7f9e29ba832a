using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Tenants;

namespace LlavaCluster.Storage.Tenants;

/// <summary>Everything durable of one tenant, except the entries of its usage ledger.</summary>
public sealed record TenantRecord(
    long Version,
    TenantQuota Quota,
    ImmutableArray<StoredKey> Keys,
    ImmutableArray<StoredLease> Leases,
    UsageTotals Totals,
    ImmutableArray<StoredJob> Jobs,
    TrainingTotals Training);

/// <param name="Hash">SHA-256 of the secret.</param>
public sealed record StoredKey(KeyInfo Info, ImmutableArray<byte> Hash);

/// <param name="LeaseId">Names one turn, as the turn's own id does not: that is the client's.</param>
/// <param name="Tokens">The worst case while it runs, the true number once settled.</param>
public sealed record StoredLease(Guid LeaseId, int Tokens, DateTimeOffset BegunAt, DateTimeOffset ExpiresAt, bool Settled);

public readonly record struct UsageTotals(long Turns, long PromptTokens, long ImageTokens, long CompletionTokens);

/// <summary>A fine-tuning job that runs, or has run and may ask again.</summary>
/// <param name="Report">The last one that was counted.</param>
/// <param name="ExpiresAt">When it counts as running no more.</param>
public sealed record StoredJob(string Job, long Report, DateTimeOffset ExpiresAt);

/// <summary>Device time of a tenant's jobs.</summary>
/// <param name="Day">Days since year 1 (UTC), of <paramref name="DaySeconds"/>.</param>
public readonly record struct TrainingTotals(double Seconds, int Day, double DaySeconds)
{
    public TrainingTotals Add(int day, double seconds) => new(Seconds + seconds, day, (day == Day ? DaySeconds : 0) + seconds);
}

/// <summary>A turn's line in the usage ledger, under its lease's name.</summary>
public sealed record UsageEntry(Guid LeaseId, DateTimeOffset At, TokenUsage Usage);

/// <summary>What changes at a tenant in one write. A usage entry counts once, however often it is written.</summary>
public sealed record TenantChange
{
    public TenantQuota? Quota { get; init; }

    public StoredKey? AddedKey { get; init; }

    public string? RemovedKey { get; init; }

    public StoredLease? PutLease { get; init; }

    public ImmutableArray<Guid> DroppedLeases { get; init; } = [];

    public UsageEntry? Usage { get; init; }

    public StoredJob? PutJob { get; init; }

    public string? RemovedJob { get; init; }

    public TrainingTotals? Training { get; init; }
}

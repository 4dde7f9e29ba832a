using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Tenants;

/// <summary>A tenant, keyed by its name: its API keys, quotas, leases and usage. One activation serves every gateway, which is what makes the quotas exact.</summary>
[Alias("llava.tenant")]
public interface ITenantGrain : ITenantScopedGrain
{
    /// <summary>The key's scopes if the secret's SHA-256 matches, in constant time; null otherwise, and for an unknown or revoked key id.</summary>
    [Alias("verify-key")]
    Task<ImmutableArray<string>?> VerifyKeyAsync(string keyId, ImmutableArray<byte> secretHash, CancellationToken cancellationToken);

    /// <summary>Makes a key. The secret is in the result and nowhere else: only its hash is stored.</summary>
    [Alias("create-key")]
    Task<CreatedKey> CreateKeyAsync(string label, ImmutableArray<string> scopes, CancellationToken cancellationToken);

    [Alias("revoke-key")]
    Task<bool> RevokeKeyAsync(string keyId, CancellationToken cancellationToken);

    [Alias("keys")]
    Task<ImmutableArray<KeyInfo>> KeysAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Reserves the worst case of a turn. Idempotent by the lease's id, which names this turn alone: a turn id is the client's and would not do.
    /// A repeated call renews the lease. A lease that is neither renewed nor settled for <see cref="TenantQuota.LeaseLife"/> expires and is refunded.
    /// </summary>
    [Alias("reserve")]
    Task<ReserveResult> ReserveAsync(Guid leaseId, int worstCaseTokens, CancellationToken cancellationToken);

    /// <summary>Replaces a lease by what was used; null usage refunds it. Idempotent by the lease's id.</summary>
    [Alias("settle")]
    Task SettleAsync(Guid leaseId, TokenUsage? usage, CancellationToken cancellationToken);

    /// <summary>
    /// Lets a job train, or go on, and counts what it used since it last asked. A job that does not ask again for <see cref="TenantQuota.LeaseLife"/> counts as running no more.
    /// </summary>
    /// <param name="report">Grows with every call of a job; a repeated one counts once.</param>
    /// <returns>Null, or why the job must wait (QuotaExceeded, with the limit).</returns>
    [Alias("train")]
    Task<ChatFailure?> TrainAsync(string job, long report, double deviceSeconds, CancellationToken cancellationToken);

    /// <summary>The job runs no more.</summary>
    [Alias("end-training")]
    Task EndTrainingAsync(string job, CancellationToken cancellationToken);

    [Alias("set-quota")]
    Task SetQuotaAsync(TenantQuota quota, CancellationToken cancellationToken);

    [Alias("usage")]
    Task<TenantUsage> UsageAsync(CancellationToken cancellationToken);

    /// <summary>Removes keys, quota, leases and the whole ledger, as if the tenant had never been.</summary>
    [Alias("erase")]
    Task EraseAsync(CancellationToken cancellationToken);
}

/// <summary>Limits of a tenant; null is no limit.</summary>
[GenerateSerializer, Immutable, Alias("llava.tenant-quota")]
public sealed record TenantQuota
{
    [Id(0)]
    public int? RequestsPerMinute { get; init; }

    [Id(1)]
    public int? TokensPerMinute { get; init; }

    [Id(2)]
    public int? ConcurrentTurns { get; init; }

    /// <summary>How long a lease holds without being renewed.</summary>
    public static TimeSpan LeaseLife { get; } = TimeSpan.FromMinutes(2);

    /// <summary>Share in the engines' token-fair scheduling, relative to other tenants; greater than 0.</summary>
    [Id(3)]
    public double Weight { get; init; } = 1;

    /// <summary>Fine-tuning jobs that run at the same time; further ones wait.</summary>
    [Id(4)]
    public int? TrainingJobs { get; init; }

    /// <summary>Seconds of devices that jobs may use from one midnight (UTC) to the next; a job that has used them up waits for it.</summary>
    [Id(5)]
    public double? TrainingSecondsPerDay { get; init; }

    /// <summary>Bytes of pictures, files, adapters and checkpoints.</summary>
    [Id(6)]
    public long? StorageBytes { get; init; }
}

[GenerateSerializer, Immutable, Alias("llava.tenant-usage")]
public sealed record TenantUsage(
    [property: Id(0)] TenantQuota Quota,
    [property: Id(1)] int RunningTurns,
    [property: Id(2)] long Turns,
    [property: Id(3)] long PromptTokens,
    [property: Id(4)] long ImageTokens,
    [property: Id(5)] long CompletionTokens,
    [property: Id(6)] int RunningJobs = 0,
    [property: Id(7)] double TrainingSeconds = 0,
    [property: Id(8)] double TrainingSecondsToday = 0);

/// <summary>Refused holds the failure (kind QuotaExceeded, with the limit and when to retry); null is a lease.</summary>
[GenerateSerializer, Immutable, Alias("llava.reserve-result")]
public sealed record ReserveResult([property: Id(0)] ChatFailure? Refused, [property: Id(1)] double Weight = 1);

[GenerateSerializer, Immutable, Alias("llava.key-info")]
public sealed record KeyInfo(
    [property: Id(0)] string KeyId,
    [property: Id(1)] string Label,
    [property: Id(2)] ImmutableArray<string> Scopes,
    [property: Id(3)] DateTimeOffset CreatedAt);

/// <param name="ApiKey">What the client sends: <c>llava-{tenant}.{keyId}.{secret}</c>.</param>
[GenerateSerializer, Immutable, Alias("llava.created-key")]
public sealed record CreatedKey([property: Id(0)] KeyInfo Info, [property: Id(1)] string ApiKey);

using System.Collections.Concurrent;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Turns;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Files;

/// <summary>
/// How much a tenant's storage quota still takes. Asks the tenant now and then and counts the store each time; uploads at the same time may go beyond the quota by what they bring together.
/// Safe for use by many threads.
/// </summary>
internal sealed class TenantStorage(TenantGrains tenants, GrainCalls calls, IObjectStore store, GatewayOptions options, TimeProvider time)
{
    private const int MostKept = 10_000;

    private readonly ConcurrentDictionary<TenantId, (long? Quota, DateTimeOffset Until)> _kept = new();

    /// <summary>What is left.</summary>
    public async Task<Outcome<StorageRoom>> RoomAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        var asked = await QuotaAsync(tenant, cancellationToken);
        if (asked.IsFailure(out var failure, out var quota))
        {
            return failure;
        }

        return quota is { } most ? new StorageRoom(most, (await store.TotalsAsync(tenant, cancellationToken)).Bytes) : StorageRoom.Endless;
    }

    /// <summary>Why so many bytes have no room; null if they have.</summary>
    public async Task<ChatFailure?> RefusalAsync(TenantId tenant, long bytes, string field, CancellationToken cancellationToken)
    {
        var asked = await RoomAsync(tenant, cancellationToken);
        return asked.IsFailure(out var failure, out var room) ? failure : bytes > room.Left ? room.Refusal(bytes, field) : null;
    }

    /// <param name="thing">What was not stored, with its article.</param>
    public static ChatFailure Refused(StorageFault fault, string thing, string field) => fault == StorageFault.Full
        ? new ChatFailure(ChatFailureKind.StorageFull, $"The server has no room for {thing}.", field)
        : new ChatFailure(ChatFailureKind.Overloaded, $"The server could not store {thing} now.", field);

    private async Task<Outcome<long?>> QuotaAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (_kept.TryGetValue(tenant, out var kept) && kept.Until > now)
        {
            return kept.Quota;
        }

        var asked = await calls.RepeatAsync(() => tenants.Tenant(tenant).UsageAsync(cancellationToken), cancellationToken);
        if (asked.IsFailure(out var lost, out var usage))
        {
            return lost;
        }

        if (_kept.Count >= MostKept)
        {
            _kept.Clear();
        }

        _kept[tenant] = (usage.Quota.StorageBytes, now + options.Training.QuotaCacheLifetime);
        return usage.Quota.StorageBytes;
    }
}

/// <param name="Quota">Bytes the tenant may store.</param>
internal readonly record struct StorageRoom(long Quota, long Used)
{
    public static StorageRoom Endless { get; } = new(long.MaxValue, 0);

    public long Left => Math.Max(0, Quota - Used);

    /// <param name="bytes">At least so many were to come.</param>
    public ChatFailure Refusal(long bytes, string field) =>
        new(ChatFailureKind.QuotaExceeded, $"{field} has no room: the tenant may store {Quota} bytes, {Used} are used, and it has {bytes} or more.", field);
}

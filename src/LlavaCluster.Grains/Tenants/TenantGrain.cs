using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Tenants;

namespace LlavaCluster.Grains.Tenants;

/// <summary>A tenant's keys, quota and usage. Every change is durable before it is answered, and fenced by the record's version.</summary>
[CollectionAgeLimit(Minutes = 30)]
internal sealed class TenantGrain(ITenantStore store, TimeProvider clock) : Grain, ITenantGrain
{
    private const int SecretBytes = 32;
    private const int KeyIdBytes = 6;
    private static readonly ImmutableArray<byte> NoHash = [.. new byte[SHA256.HashSizeInBytes]];

    private TenantId _tenant;
    private long _version;
    private UsageTotals _totals;
    private ImmutableDictionary<string, StoredKey> _keys = ImmutableDictionary<string, StoredKey>.Empty;
    private QuotaLedger _ledger = new(new TenantQuota(), []);
    private TrainingLedger _training = new(default, []);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _tenant = TenantId.Parse(this.GetPrimaryKeyString());
        var record = await store.ReadAsync(_tenant, cancellationToken);
        (_version, _totals) = (record.Version, record.Totals);
        _keys = record.Keys.ToImmutableDictionary(key => key.Info.KeyId);
        _ledger = new QuotaLedger(record.Quota, record.Leases);
        _training = new TrainingLedger(record.Training, record.Jobs);
    }

    public Task<ImmutableArray<string>?> VerifyKeyAsync(string keyId, ImmutableArray<byte> secretHash, CancellationToken cancellationToken)
    {
        var key = _keys.GetValueOrDefault(keyId);
        var matches = CryptographicOperations.FixedTimeEquals((key?.Hash ?? NoHash).AsSpan(), secretHash.AsSpan());
        if (!matches && _version == 0)
        {
            // Strangers make tenants' names up; nothing was ever written for this one, so nothing is worth remembering.
            DeactivateOnIdle();
        }

        return Task.FromResult(matches ? key?.Info.Scopes : null);
    }

    public async Task<CreatedKey> CreateKeyAsync(string label, ImmutableArray<string> scopes, CancellationToken cancellationToken)
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyIdBytes));
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes));
        var key = new StoredKey(new KeyInfo(id, label, scopes, clock.GetUtcNow()), [.. SHA256.HashData(Encoding.UTF8.GetBytes(secret))]);
        await WriteAsync(new TenantChange { AddedKey = key }, cancellationToken);
        _keys = _keys.Add(id, key);
        return new CreatedKey(key.Info, $"llava-{_tenant}.{id}.{secret}");
    }

    public async Task<bool> RevokeKeyAsync(string keyId, CancellationToken cancellationToken)
    {
        if (!_keys.ContainsKey(keyId))
        {
            return false;
        }

        await WriteAsync(new TenantChange { RemovedKey = keyId }, cancellationToken);
        _keys = _keys.Remove(keyId);
        return true;
    }

    public Task<ImmutableArray<KeyInfo>> KeysAsync(CancellationToken cancellationToken) =>
        Task.FromResult(_keys.Values.Select(key => key.Info).OrderBy(info => info.CreatedAt).ThenBy(info => info.KeyId, StringComparer.Ordinal).ToImmutableArray());

    public async Task<ReserveResult> ReserveAsync(Guid leaseId, int worstCaseTokens, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var (lease, refused) = _ledger.Reserve(leaseId, worstCaseTokens, now);
        if (lease is null || lease.Settled)
        {
            return new ReserveResult(refused, _ledger.Quota.Weight);
        }

        var stale = _ledger.Stale(now).Where(id => id != leaseId).ToImmutableArray();
        if (await TryWriteAsync(new TenantChange { PutLease = lease, DroppedLeases = stale }, cancellationToken) is { } fault)
        {
            return fault == StorageFault.Full
                ? new ReserveResult(new ChatFailure(ChatFailureKind.StorageFull, "The store is full; nothing was begun."), _ledger.Quota.Weight)
                : throw NotWritten(fault);
        }

        foreach (var id in stale)
        {
            _ledger.Drop(id);
        }

        _ledger.Put(lease);
        return new ReserveResult(null, _ledger.Quota.Weight);
    }

    public async Task SettleAsync(Guid leaseId, TokenUsage? usage, CancellationToken cancellationToken)
    {
        var lease = _ledger.Find(leaseId);
        if (usage is null)
        {
            if (lease is { Settled: false })
            {
                await WriteAsync(new TenantChange { DroppedLeases = [leaseId] }, cancellationToken);
                _ledger.Drop(leaseId);
            }

            return;
        }

        if (lease is { Settled: true })
        {
            return;
        }

        // A lease that expired meanwhile is gone, but the tokens were used all the same; the ledger's line counts them once.
        var settled = lease is null ? null : lease with { Tokens = usage.PromptTokens + usage.CompletionTokens, Settled = true };
        await WriteAsync(new TenantChange { PutLease = settled, Usage = new UsageEntry(leaseId, clock.GetUtcNow(), usage) }, cancellationToken);
        if (settled is not null)
        {
            _ledger.Put(settled);
        }

        _totals = (await store.ReadAsync(_tenant, cancellationToken)).Totals;
    }

    public async Task<ChatFailure?> TrainAsync(string job, long report, double deviceSeconds, CancellationToken cancellationToken)
    {
        var (next, totals, refused) = _training.Train(job, report, deviceSeconds, _ledger.Quota, clock.GetUtcNow());
        await WriteAsync(new TenantChange { PutJob = next, Training = totals }, cancellationToken);
        _training.Put(next, totals);
        return refused;
    }

    public async Task EndTrainingAsync(string job, CancellationToken cancellationToken)
    {
        if (_training.Has(job))
        {
            await WriteAsync(new TenantChange { RemovedJob = job }, cancellationToken);
            _training.Drop(job);
        }
    }

    public async Task SetQuotaAsync(TenantQuota quota, CancellationToken cancellationToken)
    {
        await WriteAsync(new TenantChange { Quota = quota }, cancellationToken);
        _ledger.Quota = quota;
    }

    public Task<TenantUsage> UsageAsync(CancellationToken cancellationToken) => Task.FromResult(new TenantUsage(
        _ledger.Quota,
        _ledger.Running(clock.GetUtcNow()),
        _totals.Turns,
        _totals.PromptTokens,
        _totals.ImageTokens,
        _totals.CompletionTokens,
        _training.Running(clock.GetUtcNow()),
        _training.Totals.Seconds,
        _training.Today(clock.GetUtcNow())));

    public async Task EraseAsync(CancellationToken cancellationToken)
    {
        await store.DeleteAsync(_tenant, cancellationToken);
        DeactivateOnIdle(); // and knows nothing of it when it comes back
    }

    private async Task WriteAsync(TenantChange change, CancellationToken cancellationToken)
    {
        if (await TryWriteAsync(change, cancellationToken) is { } fault)
        {
            throw NotWritten(fault);
        }
    }

    /// <summary>After a conflict memory and store differ, so the grain starts anew from the store.</summary>
    private async Task<StorageFault?> TryWriteAsync(TenantChange change, CancellationToken cancellationToken)
    {
        var fault = await store.WriteAsync(_tenant, _version, change, cancellationToken);
        if (fault == StorageFault.Conflict)
        {
            DeactivateOnIdle();
        }

        _version += fault is null ? 1 : 0;
        return fault;
    }

    private OrleansException NotWritten(StorageFault fault) => new($"The record of tenant {_tenant} was not written: {fault}.");
}

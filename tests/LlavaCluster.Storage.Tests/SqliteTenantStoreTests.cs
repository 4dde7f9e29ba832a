using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Tenants;

namespace LlavaCluster.Storage.Tests;

public sealed class SqliteTenantStoreTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TenantId Acme = TenantId.Parse("acme");

    [Fact]
    public async Task Write_WithAVersionAnotherTook_IsAConflictAndChangesNothing()
    {
        await using var folder = new StoreFolder();
        var (first, second) = (new SqliteTenantStore(folder.Open()), new SqliteTenantStore(folder.Open()));
        Assert.Null(await first.WriteAsync(Acme, 0, new TenantChange { Quota = new TenantQuota { ConcurrentTurns = 3, Weight = 2 } }, None));

        Assert.Equal(StorageFault.Conflict, await second.WriteAsync(Acme, 0, new TenantChange { Quota = new TenantQuota() }, None));
        var record = await second.ReadAsync(Acme, None);
        Assert.Equal((1, new TenantQuota { ConcurrentTurns = 3, Weight = 2 }), (record.Version, record.Quota));
    }

    [Fact]
    public async Task Write_OfOneTurnsUsageTwice_CountsItOnce()
    {
        await using var folder = new StoreFolder();
        var store = new SqliteTenantStore(folder.Open());
        var entry = new UsageEntry(Guid.NewGuid(), DateTimeOffset.UnixEpoch, new TokenUsage(10, 4, 2, 5));

        Assert.Null(await store.WriteAsync(Acme, 0, new TenantChange { Usage = entry }, None));
        Assert.Null(await store.WriteAsync(Acme, 1, new TenantChange { Usage = entry }, None));

        Assert.Equal(new UsageTotals(1, 10, 4, 5), (await store.ReadAsync(Acme, None)).Totals);
    }

    [Fact]
    public async Task Read_AfterReopening_GivesKeysAndLeases()
    {
        await using var folder = new StoreFolder();
        var key = new StoredKey(new KeyInfo("id", "label", ["chat", "admin"], DateTimeOffset.UnixEpoch), [1, 2, 3]);
        var lease = new StoredLease(Guid.NewGuid(), 50, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddMinutes(2), Settled: false);
        await new SqliteTenantStore(folder.Open()).WriteAsync(Acme, 0, new TenantChange { AddedKey = key, PutLease = lease }, None);

        var store = new SqliteTenantStore(folder.Open());
        var record = await store.ReadAsync(Acme, None);
        Assert.Equal(lease, Assert.Single(record.Leases));
        Assert.Equal(["chat", "admin"], Assert.Single(record.Keys).Info.Scopes);
        Assert.Equal(key.Hash, record.Keys[0].Hash);

        await store.WriteAsync(Acme, 1, new TenantChange { RemovedKey = "id", DroppedLeases = [lease.LeaseId] }, None);
        var after = await store.ReadAsync(Acme, None);
        Assert.Empty(after.Keys);
        Assert.Empty(after.Leases);
    }
}

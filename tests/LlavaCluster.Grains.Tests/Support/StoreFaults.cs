using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Tenants;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>What a test's stores refuse. Nothing, until the test says otherwise.</summary>
internal sealed class StoreFaults
{
    public Func<LogRecord, StorageFault?> OfRecord { get; set; } = _ => null;

    public Func<TenantChange, StorageFault?> OfChange { get; set; } = _ => null;

    /// <summary>Called with each change that is durable; a fault is told in its place, as when the reply to a commit is lost.</summary>
    public Func<TenantChange, StorageFault?> AfterChange { get; set; } = _ => null;

    /// <summary>Called with each tenant whose record is read.</summary>
    public Action<TenantId> Read { get; set; } = _ => { };

    /// <summary>Called with each record that is durable.</summary>
    public Action<LogRecord> Taken { get; set; } = _ => { };
}

internal sealed class FaultyConversationLog(SqliteConversationLog log, StoreFaults faults) : IConversationLog
{
    public async Task<StorageFault?> AppendAsync(
        ConversationKey conversation, long position, ImmutableArray<LogRecord> records, DateTimeOffset? expiresAt, CancellationToken cancellationToken)
    {
        var refused = records.Select(faults.OfRecord).FirstOrDefault(fault => fault is not null);
        var fault = refused ?? await log.AppendAsync(conversation, position, records, expiresAt, cancellationToken);
        if (fault is null)
        {
            foreach (var record in records)
            {
                faults.Taken(record);
            }
        }

        return fault;
    }

    public Task<ImmutableArray<LogRecord>> ReadAsync(ConversationKey conversation, CancellationToken cancellationToken) => log.ReadAsync(conversation, cancellationToken);

    public Task<bool> DeleteAsync(ConversationKey conversation, CancellationToken cancellationToken) => log.DeleteAsync(conversation, cancellationToken);

    public Task<ImmutableArray<ConversationKey>> ListAsync(TenantId tenant, int limit, CancellationToken cancellationToken) => log.ListAsync(tenant, limit, cancellationToken);

    public Task<ImmutableArray<ConversationKey>> UnfinishedAsync(CancellationToken cancellationToken) => log.UnfinishedAsync(cancellationToken);

    public Task<int> DropExpiredAsync(DateTimeOffset now, CancellationToken cancellationToken) => log.DropExpiredAsync(now, cancellationToken);
}

internal sealed class FaultyTenantStore(SqliteTenantStore store, StoreFaults faults) : ITenantStore
{
    public Task<TenantRecord> ReadAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        faults.Read(tenant);
        return store.ReadAsync(tenant, cancellationToken);
    }

    public async Task<StorageFault?> WriteAsync(TenantId tenant, long version, TenantChange change, CancellationToken cancellationToken) =>
        faults.OfChange(change) ?? await store.WriteAsync(tenant, version, change, cancellationToken) ?? faults.AfterChange(change);

    public Task DeleteAsync(TenantId tenant, CancellationToken cancellationToken) => store.DeleteAsync(tenant, cancellationToken);
}

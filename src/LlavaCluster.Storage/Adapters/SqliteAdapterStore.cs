using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Adapters;

/// <summary>Adapters in a SQLite file, a document a tenant.</summary>
public sealed class SqliteAdapterStore(SqliteStore store) : IAdapterStore
{
    public Task<AdapterRecord> ReadAsync(TenantId tenant, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query("SELECT record FROM adapters WHERE tenant=$0", row => StoredJson.Read<AdapterRecord>(row.GetString(0)), tenant.Value).FirstOrDefault() ?? new AdapterRecord(0, []),
        cancellationToken);

    public async Task<StorageFault?> WriteAsync(TenantId tenant, AdapterRecord record, CancellationToken cancellationToken)
    {
        var text = StoredJson.Write(record with { Version = record.Version + 1 });
        var result = await store.WriteAsync<StorageFault?>(
            session =>
            {
                var written = record.Version == 0
                    ? session.Run("INSERT OR IGNORE INTO adapters VALUES($0, 1, $1)", tenant.Value, text)
                    : session.Run("UPDATE adapters SET version=version+1, record=$2 WHERE tenant=$0 AND version=$1", tenant.Value, record.Version, text);
                return written == 0 ? StorageFault.Conflict : null;
            },
            cancellationToken);
        return result.Fault ?? result.Value;
    }

    public async Task DeleteAsync(TenantId tenant, CancellationToken cancellationToken) =>
        (await store.WriteAsync(session => session.Run("DELETE FROM adapters WHERE tenant=$0", tenant.Value), cancellationToken)).ValueOrThrow();
}

using System.Collections.Immutable;
using System.Globalization;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Adapters;
using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Erasures;

/// <summary>Erasures in the SQLite file of what they erase, a document a tenant.</summary>
public sealed class SqliteErasureStore(SqliteStore store) : IErasureStore
{
    public Task<ErasureRecord?> ReadAsync(TenantId tenant, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query("SELECT record FROM erasure WHERE tenant=$0", row => StoredJson.Read<ErasureRecord>(row.GetString(0)), tenant.Value).FirstOrDefault(),
        cancellationToken);

    public async Task<StorageFault?> WriteAsync(TenantId tenant, ErasureRecord record, CancellationToken cancellationToken)
    {
        var text = StoredJson.Write(record with { Version = record.Version + 1 });
        var finished = record.Erasure.FinishedAt is not null;
        var result = await store.WriteAsync<StorageFault?>(
            session =>
            {
                var written = record.Version == 0
                    ? session.Run("INSERT OR IGNORE INTO erasure VALUES($0, 1, $1, $2)", tenant.Value, finished, text)
                    : session.Run("UPDATE erasure SET version=version+1, finished=$2, record=$3 WHERE tenant=$0 AND version=$1", tenant.Value, record.Version, finished, text);
                return written == 0 ? StorageFault.Conflict : null;
            },
            cancellationToken);
        return result.Fault ?? result.Value;
    }

    public Task<ImmutableArray<TenantId>> UnfinishedAsync(CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query("SELECT tenant FROM erasure WHERE finished=0 ORDER BY tenant", row => TenantId.Parse(row.GetString(0))).ToImmutableArray(),
        cancellationToken);

    public Task<TenantContents> CountAsync(TenantId tenant, CancellationToken cancellationToken) => store.ReadAsync(session => Count(session, tenant.Value), cancellationToken);

    private static TenantContents Count(SqliteSession session, string tenant)
    {
        int Rows(string table) => Convert.ToInt32(session.Scalar($"SELECT count(*) FROM {table} WHERE tenant=$0", tenant), CultureInfo.InvariantCulture);
        var adapters = session.Query("SELECT record FROM adapters WHERE tenant=$0", row => StoredJson.Read<AdapterRecord>(row.GetString(0)), tenant);
        return new TenantContents(
            Rows("tenant_key"), Rows("training_job"), Rows("conversation"), adapters.Sum(record => record.Adapters.Sum(adapter => adapter.Info.Versions.Length)), Rows("file"), 0, 0);
    }
}

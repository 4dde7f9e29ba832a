using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Sqlite;
using Microsoft.Data.Sqlite;

namespace LlavaCluster.Storage.Files;

/// <summary>Files in a SQLite file, a row each.</summary>
public sealed class SqliteFileStore(SqliteStore store) : IFileStore
{
    private const string Columns = "SELECT id, name, purpose, bytes, created_at FROM file WHERE tenant=$0 ";

    public async Task<StorageFault?> PutAsync(TenantId tenant, StoredFile file, CancellationToken cancellationToken)
    {
        var result = await store.WriteAsync(
            session => session.Run(
                "INSERT INTO file VALUES($0, $1, $2, $3, $4, $5) ON CONFLICT(tenant, id) DO UPDATE SET name=excluded.name, purpose=excluded.purpose",
                tenant.Value,
                file.Id.Value,
                file.Name,
                file.Purpose,
                file.Bytes,
                file.CreatedAt.UtcTicks),
            cancellationToken);
        return result.Fault;
    }

    public Task<StoredFile?> FindAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) =>
        store.ReadAsync(session => session.Query(Columns + "AND id=$1", Read, tenant.Value, id.Value).FirstOrDefault(), cancellationToken);

    public Task<ImmutableArray<StoredFile>> ListAsync(TenantId tenant, FileQuery query, CancellationToken cancellationToken)
    {
        var (sign, order) = query.OldestFirst ? (">", "ASC") : ("<", "DESC");
        // Files of one moment are in the order of their ids.
        var sql = $"{Columns} AND ($1 IS NULL OR purpose=$1) AND ($2 IS NULL OR (created_at, id) {sign} (SELECT created_at, id FROM file WHERE tenant=$0 AND id=$2)) ORDER BY created_at {order}, id {order} LIMIT $3";
        return store.ReadAsync(session => session.Query(sql, Read, tenant.Value, query.Purpose, query.After?.Value, query.Limit).ToImmutableArray(), cancellationToken);
    }

    public async Task<bool> RemoveAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken)
    {
        var result = await store.WriteAsync(session => session.Run("DELETE FROM file WHERE tenant=$0 AND id=$1", tenant.Value, id.Value), cancellationToken);
        return result.Fault is { } fault ? throw new IOException($"The file was not removed: {fault}.") : result.Value > 0;
    }

    public async Task EraseAsync(TenantId tenant, CancellationToken cancellationToken) =>
        (await store.WriteAsync(session => session.Run("DELETE FROM file WHERE tenant=$0", tenant.Value), cancellationToken)).ValueOrThrow();

    private static StoredFile Read(SqliteDataReader row) =>
        new(ObjectId.Parse(row.GetString(0)), row.GetString(1), row.GetString(2), row.GetInt64(3), new DateTimeOffset(row.GetInt64(4), TimeSpan.Zero));
}

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Sqlite;
using Microsoft.Data.Sqlite;

namespace LlavaCluster.Storage.Tenants;

/// <summary>Tenants in a SQLite file.</summary>
public sealed class SqliteTenantStore(SqliteStore store) : ITenantStore
{
    private const int RowsAtOnce = 10_000;

    public Task<TenantRecord> ReadAsync(TenantId tenant, CancellationToken cancellationToken) => store.ReadAsync(
        session =>
        {
            // One transaction, so that the version belongs to the rows.
            session.Run("BEGIN");
            var record = Read(session, tenant.Value);
            session.Run("COMMIT");
            return record;
        },
        cancellationToken);

    public async Task<StorageFault?> WriteAsync(TenantId tenant, long version, TenantChange change, CancellationToken cancellationToken)
    {
        var result = await store.WriteAsync(session => Write(session, tenant.Value, version, change), cancellationToken);
        return result.Fault ?? result.Value;
    }

    public async Task DeleteAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        // In parts, so that the tokens of other tenants' answers do not wait for a ledger of millions of lines.
        var removed = RowsAtOnce;
        while (removed == RowsAtOnce)
        {
            var result = await store.WriteAsync(
                session => session.Run("DELETE FROM usage_entry WHERE tenant=$0 AND turn IN (SELECT turn FROM usage_entry WHERE tenant=$0 LIMIT $1)", tenant.Value, RowsAtOnce),
                cancellationToken);
            removed = result.ValueOrThrow();
        }

        var rest = await store.WriteAsync(
            session => session.Run("DELETE FROM tenant_key WHERE tenant=$0", tenant.Value)
                + session.Run("DELETE FROM tenant_lease WHERE tenant=$0", tenant.Value)
                + session.Run("DELETE FROM tenant_job WHERE tenant=$0", tenant.Value)
                + session.Run("DELETE FROM tenant WHERE name=$0", tenant.Value),
            cancellationToken);
        rest.ValueOrThrow();
    }

    private static TenantRecord Read(SqliteSession session, string tenant)
    {
        var heads = session.Query(
            "SELECT version, requests_per_minute, tokens_per_minute, concurrent_turns, weight, turns, prompt_tokens, image_tokens, completion_tokens, training_jobs, training_seconds_per_day, storage_bytes, training_seconds, training_day, training_day_seconds FROM tenant WHERE name=$0",
            row => (
                Version: row.GetInt64(0),
                Quota: new TenantQuota
                {
                    RequestsPerMinute = Int(row, 1), TokensPerMinute = Int(row, 2), ConcurrentTurns = Int(row, 3), Weight = row.GetDouble(4),
                    TrainingJobs = Int(row, 9), TrainingSecondsPerDay = row.IsDBNull(10) ? null : row.GetDouble(10), StorageBytes = row.IsDBNull(11) ? null : row.GetInt64(11),
                },
                Totals: new UsageTotals(row.GetInt64(5), row.GetInt64(6), row.GetInt64(7), row.GetInt64(8)),
                Training: new TrainingTotals(row.GetDouble(12), row.GetInt32(13), row.GetDouble(14))),
            tenant);
        var head = heads.Count > 0 ? heads[0] : (0, new TenantQuota(), default, default);
        var keys = session.Query(
            "SELECT id, label, scopes, hash, created_at FROM tenant_key WHERE tenant=$0 ORDER BY created_at, id",
            row => new StoredKey(
                new KeyInfo(row.GetString(0), row.GetString(1), [.. row.GetString(2).Split(' ', StringSplitOptions.RemoveEmptyEntries)], Time(row.GetInt64(4))),
                [.. row.GetFieldValue<byte[]>(3)]),
            tenant);
        var leases = session.Query(
            "SELECT turn, tokens, begun_at, expires_at, settled FROM tenant_lease WHERE tenant=$0",
            row => new StoredLease(new Guid(row.GetFieldValue<byte[]>(0)), row.GetInt32(1), Time(row.GetInt64(2)), Time(row.GetInt64(3)), row.GetBoolean(4)),
            tenant);
        var jobs = session.Query("SELECT job, report, expires_at FROM tenant_job WHERE tenant=$0", row => new StoredJob(row.GetString(0), row.GetInt64(1), Time(row.GetInt64(2))), tenant);
        return new TenantRecord(head.Version, head.Quota, [.. keys], [.. leases], head.Totals, [.. jobs], head.Training);
    }

    private static StorageFault? Write(SqliteSession session, string tenant, long version, TenantChange change)
    {
        session.Run("INSERT OR IGNORE INTO tenant(name, version, weight, turns, prompt_tokens, image_tokens, completion_tokens) VALUES($0, 0, 1, 0, 0, 0, 0)", tenant);
        if (session.Run("UPDATE tenant SET version=version+1 WHERE name=$0 AND version=$1", tenant, version) == 0)
        {
            return StorageFault.Conflict;
        }

        if (change.Quota is { } quota)
        {
            session.Run(
                "UPDATE tenant SET requests_per_minute=$1, tokens_per_minute=$2, concurrent_turns=$3, weight=$4, training_jobs=$5, training_seconds_per_day=$6, storage_bytes=$7 WHERE name=$0",
                tenant,
                quota.RequestsPerMinute,
                quota.TokensPerMinute,
                quota.ConcurrentTurns,
                quota.Weight,
                quota.TrainingJobs,
                quota.TrainingSecondsPerDay,
                quota.StorageBytes);
        }

        WriteKeys(session, tenant, change);
        WriteLeases(session, tenant, change);
        WriteTraining(session, tenant, change);
        if (change.Usage is { } usage)
        {
            WriteUsage(session, tenant, usage);
        }

        return null;
    }

    private static void WriteKeys(SqliteSession session, string tenant, TenantChange change)
    {
        if (change.AddedKey is { } key)
        {
            session.Run(
                "INSERT INTO tenant_key VALUES($0, $1, $2, $3, $4, $5)",
                tenant,
                key.Info.KeyId,
                key.Info.Label,
                string.Join(' ', key.Info.Scopes),
                key.Hash.ToArray(),
                key.Info.CreatedAt.UtcTicks);
        }

        if (change.RemovedKey is { } removed)
        {
            session.Run("DELETE FROM tenant_key WHERE tenant=$0 AND id=$1", tenant, removed);
        }
    }

    private static void WriteLeases(SqliteSession session, string tenant, TenantChange change)
    {
        foreach (var lease in change.DroppedLeases)
        {
            session.Run("DELETE FROM tenant_lease WHERE tenant=$0 AND turn=$1", tenant, lease.ToByteArray());
        }

        if (change.PutLease is { } put)
        {
            session.Run(
                "INSERT OR REPLACE INTO tenant_lease VALUES($0, $1, $2, $3, $4, $5)",
                tenant,
                put.LeaseId.ToByteArray(),
                put.Tokens,
                put.BegunAt.UtcTicks,
                put.ExpiresAt.UtcTicks,
                put.Settled);
        }
    }

    private static void WriteTraining(SqliteSession session, string tenant, TenantChange change)
    {
        if (change.PutJob is { } job)
        {
            session.Run("INSERT OR REPLACE INTO tenant_job VALUES($0, $1, $2, $3)", tenant, job.Job, job.Report, job.ExpiresAt.UtcTicks);
        }

        if (change.RemovedJob is { } removed)
        {
            session.Run("DELETE FROM tenant_job WHERE tenant=$0 AND job=$1", tenant, removed);
        }

        if (change.Training is { } totals)
        {
            session.Run("UPDATE tenant SET training_seconds=$1, training_day=$2, training_day_seconds=$3 WHERE name=$0", tenant, totals.Seconds, totals.Day, totals.DaySeconds);
        }
    }

    private static void WriteUsage(SqliteSession session, string tenant, UsageEntry entry)
    {
        var usage = entry.Usage;
        var added = session.Run(
            "INSERT OR IGNORE INTO usage_entry VALUES($0, $1, $2, $3, $4, $5, $6)",
            tenant,
            entry.LeaseId.ToByteArray(),
            entry.At.UtcTicks,
            usage.PromptTokens,
            usage.ImageTokens,
            usage.CachedTokens,
            usage.CompletionTokens);
        if (added > 0)
        {
            session.Run(
                "UPDATE tenant SET turns=turns+1, prompt_tokens=prompt_tokens+$1, image_tokens=image_tokens+$2, completion_tokens=completion_tokens+$3 WHERE name=$0",
                tenant,
                usage.PromptTokens,
                usage.ImageTokens,
                usage.CompletionTokens);
        }
    }

    private static int? Int(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt32(column);

    private static DateTimeOffset Time(long ticks) => new(ticks, TimeSpan.Zero);
}

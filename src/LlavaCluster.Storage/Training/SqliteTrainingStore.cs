using System.Collections.Immutable;
using System.Globalization;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Training;

/// <summary>Fine-tuning jobs in a SQLite file, a document each.</summary>
public sealed class SqliteTrainingStore(SqliteStore store) : ITrainingStore
{
    public Task<TrainingJobRecord?> ReadAsync(TrainingJobKey job, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query("SELECT record FROM training_job WHERE tenant=$0 AND id=$1", row => StoredJson.Read<TrainingJobRecord>(row.GetString(0)), job.Tenant.Value, job.Id).FirstOrDefault(),
        cancellationToken);

    public async Task<StorageFault?> WriteAsync(long version, TrainingJobRecord record, ImmutableArray<TrainingEvent> events, CancellationToken cancellationToken)
    {
        var next = StoredJson.Write(record with { Version = version + 1 });
        var lines = events.Select(line => (line.Sequence, Text: StoredJson.Write(line))).ToArray();
        var result = await store.WriteAsync(session => Write(session, version, record, next, lines), cancellationToken);
        return result.Fault ?? result.Value;
    }

    public Task<ImmutableArray<TrainingEvent>> EventsAsync(TrainingJobKey job, long after, int limit, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query(
            "SELECT event FROM training_event WHERE tenant=$0 AND job=$1 AND sequence > $2 ORDER BY sequence LIMIT $3",
            row => StoredJson.Read<TrainingEvent>(row.GetString(0)),
            job.Tenant.Value,
            job.Id,
            after,
            limit).ToImmutableArray(),
        cancellationToken);

    // Rows have numbers in the order of their creation; ids that clients chose say nothing about it.
    public Task<ImmutableArray<TrainingJobInfo>> ListAsync(TenantId tenant, string? before, int limit, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query(
            "SELECT record FROM training_job WHERE tenant=$0 AND ($1 IS NULL OR rowid < (SELECT rowid FROM training_job WHERE tenant=$0 AND id=$1)) ORDER BY rowid DESC LIMIT $2",
            row => StoredJson.Read<TrainingJobRecord>(row.GetString(0)).Info,
            tenant.Value,
            before,
            limit).ToImmutableArray(),
        cancellationToken);

    public async Task DeleteAsync(TrainingJobKey job, CancellationToken cancellationToken)
    {
        var result = await store.WriteAsync(
            session => session.Run("DELETE FROM training_event WHERE tenant=$0 AND job=$1", job.Tenant.Value, job.Id)
                + session.Run("DELETE FROM training_job WHERE tenant=$0 AND id=$1", job.Tenant.Value, job.Id),
            cancellationToken);
        result.ValueOrThrow();
    }

    public Task<int> CountUnfinishedAsync(TenantId tenant, CancellationToken cancellationToken) => store.ReadAsync(
        session => Convert.ToInt32(session.Scalar("SELECT count(*) FROM training_job WHERE tenant=$0 AND ended=0", tenant.Value), CultureInfo.InvariantCulture),
        cancellationToken);

    public Task<bool> IsNamedAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => store.ReadAsync(
        session => Convert.ToInt32(session.Scalar("SELECT EXISTS(SELECT 1 FROM training_job WHERE tenant=$0 AND instr(record, $1) > 0)", tenant.Value, id.Value), CultureInfo.InvariantCulture) != 0,
        cancellationToken);

    public Task<TrainingJobKey?> NeedingAsync(TenantId tenant, ObjectId file, CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query(
            "SELECT record FROM training_job WHERE tenant=$0 AND ended=0 AND instr(record, $1) > 0",
            row => StoredJson.Read<TrainingJobRecord>(row.GetString(0)).Info,
            tenant.Value,
            file.Value).Where(job => job.Spec.TrainingFile == file || job.Spec.Images == file || job.Spec.ValidationFile == file).Select(job => (TrainingJobKey?)job.Key).FirstOrDefault(),
        cancellationToken);

    public Task<ImmutableArray<TrainingJobKey>> UnfinishedAsync(CancellationToken cancellationToken) => store.ReadAsync(
        session => session.Query(
            "SELECT tenant, id FROM training_job WHERE ended=0 ORDER BY id",
            row => TrainingJobKey.Parse($"{row.GetString(0)}/{row.GetString(1)}")).ToImmutableArray(),
        cancellationToken);

    private static StorageFault? Write(SqliteSession session, long version, TrainingJobRecord record, string text, (long Sequence, string Text)[] events)
    {
        var job = record.Info.Key;
        var ended = record.Info.Status is TrainingJobStatus.Succeeded or TrainingJobStatus.Failed or TrainingJobStatus.Cancelled;
        var written = version == 0
            ? session.Run("INSERT OR IGNORE INTO training_job VALUES($0, $1, 1, $2, $3)", job.Tenant.Value, job.Id, ended, text)
            : session.Run("UPDATE training_job SET version=version+1, ended=$3, record=$4 WHERE tenant=$0 AND id=$1 AND version=$2", job.Tenant.Value, job.Id, version, ended, text);
        if (written == 0)
        {
            return StorageFault.Conflict;
        }

        foreach (var (sequence, line) in events)
        {
            session.Run("INSERT INTO training_event VALUES($0, $1, $2, $3)", job.Tenant.Value, job.Id, sequence, line);
        }

        return null;
    }
}

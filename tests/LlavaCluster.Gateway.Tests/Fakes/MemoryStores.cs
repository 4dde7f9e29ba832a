using System.Collections.Concurrent;
using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Training;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>Files in memory, in the order they came.</summary>
internal sealed class MemoryFiles : IFileStore
{
    private readonly ConcurrentDictionary<(TenantId Tenant, ObjectId Id), StoredFile> _files = new();

    public Task<StorageFault?> PutAsync(TenantId tenant, StoredFile file, CancellationToken cancellationToken)
    {
        _files.AddOrUpdate((tenant, file.Id), file, (_, old) => file with { CreatedAt = old.CreatedAt });
        return Task.FromResult<StorageFault?>(null);
    }

    public Task<StoredFile?> FindAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => Task.FromResult(_files.GetValueOrDefault((tenant, id)));

    public Task<ImmutableArray<StoredFile>> ListAsync(TenantId tenant, FileQuery query, CancellationToken cancellationToken)
    {
        var files = _files.Where(file => file.Key.Tenant == tenant && (query.Purpose ?? file.Value.Purpose) == file.Value.Purpose).Select(file => file.Value).OrderBy(file => file.CreatedAt).ThenBy(file => file.Id.Value, StringComparer.Ordinal).ToList();
        if (!query.OldestFirst)
        {
            files.Reverse();
        }

        var rest = query.After is { } after ? files.SkipWhile(file => file.Id != after).Skip(1) : files;
        return Task.FromResult(rest.Take(query.Limit).ToImmutableArray());
    }

    public Task<bool> RemoveAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => Task.FromResult(_files.TryRemove((tenant, id), out _));

    public Task EraseAsync(TenantId tenant, CancellationToken cancellationToken) => throw new NotSupportedException();
}

/// <summary>The list of the scripted jobs, in the order of their ids.</summary>
internal sealed class ScriptedJobList(FakeGrains grains) : ITrainingStore
{
    public Task<TrainingJobRecord?> ReadAsync(TrainingJobKey job, CancellationToken cancellationToken) =>
        Task.FromResult(grains.Jobs.GetValueOrDefault(job.ToString()) is { Info: { } info } known ? new TrainingJobRecord(1, info, known.Events, 0, known.Kept, 0) : null);

    public Task<StorageFault?> WriteAsync(long version, TrainingJobRecord record, ImmutableArray<TrainingEvent> events, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<ImmutableArray<TrainingEvent>> EventsAsync(TrainingJobKey job, long after, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<ImmutableArray<TrainingJobInfo>> ListAsync(TenantId tenant, string? before, int limit, CancellationToken cancellationToken) =>
        Task.FromResult(Of(tenant).Where(job => before is null || string.CompareOrdinal(job.Key.Id, before) < 0).OrderByDescending(job => job.Key.Id, StringComparer.Ordinal).Take(limit).ToImmutableArray());

    public Task DeleteAsync(TrainingJobKey job, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<int> CountUnfinishedAsync(TenantId tenant, CancellationToken cancellationToken) => Task.FromResult(Of(tenant).Count(job => job.FinishedAt is null));

    public Task<bool> IsNamedAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<TrainingJobKey?> NeedingAsync(TenantId tenant, ObjectId file, CancellationToken cancellationToken) =>
        Task.FromResult(Of(tenant).Where(job => job.FinishedAt is null && job.Spec.TrainingFile == file).Select(job => (TrainingJobKey?)job.Key).FirstOrDefault());

    public Task<ImmutableArray<TrainingJobKey>> UnfinishedAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    private IEnumerable<TrainingJobInfo> Of(TenantId tenant) => grains.Jobs.Values.Select(job => job.Info).OfType<TrainingJobInfo>().Where(job => job.Key.Tenant == tenant);
}

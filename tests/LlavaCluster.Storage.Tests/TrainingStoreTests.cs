using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage.Adapters;
using LlavaCluster.Storage.Sqlite;
using LlavaCluster.Storage.Training;

namespace LlavaCluster.Storage.Tests;

public sealed class TrainingStoreTests : IDisposable
{
    private static readonly TenantId Ours = TenantId.Parse("acme");

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Read_GivesWhatWasWritten_AlsoAfterAnotherProcessOpensTheFile()
    {
        var record = Record(TrainingJobStatus.Running) with
        {
            Generation = 4,
            Checkpoints = [new TrainingCheckpoint(10, ObjectId.Of([1]), 100, DateTimeOffset.UnixEpoch, 0.5)],
            Charges = 3,
        };
        record = record with { Info = record.Info with { Result = new TrainingResult(ObjectId.Of([2]), 7, double.NaN, 0.25) } };
        await using (var first = new SqliteStore(_folder.File("jobs.db")))
        {
            Assert.Null(await new SqliteTrainingStore(first).WriteAsync(0, record, [Event(1), Event(2)], Token));
        }

        await using var second = new SqliteStore(_folder.File("jobs.db"));
        var store = new SqliteTrainingStore(second);
        var read = (await store.ReadAsync(record.Info.Key, Token))!;
        Assert.Equal(1, read.Version);
        Assert.Equal(record.Info.Spec with { Options = read.Info.Spec.Options }, read.Info.Spec);
        Assert.Equal(record.Info.Result, read.Info.Result);
        Assert.Equal((4, 3), (read.Generation, read.Charges));
        Assert.Equal(record.Checkpoints.AsSpan(), read.Checkpoints.AsSpan());
        Assert.Equal([Event(2)], await store.EventsAsync(record.Info.Key, 1, 10, Token));
        Assert.Equal([Event(1)], await store.EventsAsync(record.Info.Key, 0, 1, Token));
    }

    [Fact]
    public async Task IsNamed_SaysWhetherAJobOfTheTenantHasTheObject()
    {
        await using var file = new SqliteStore(_folder.File("jobs.db"));
        var store = new SqliteTrainingStore(file);
        var record = Record(TrainingJobStatus.Succeeded) with { Checkpoints = [new TrainingCheckpoint(10, ObjectId.Of([1]), 100, DateTimeOffset.UnixEpoch, 0.5)] };
        Assert.Null(await store.WriteAsync(0, record, [], Token));

        Assert.True(await store.IsNamedAsync(Ours, ObjectId.Of([1]), Token));
        Assert.False(await store.IsNamedAsync(Ours, ObjectId.Of([77]), Token));
        Assert.False(await store.IsNamedAsync(TenantId.Parse("other"), ObjectId.Of([1]), Token));
    }

    [Fact]
    public async Task Write_OfAnOldVersion_IsAConflictAndChangesNothing()
    {
        await using var file = new SqliteStore(_folder.File("jobs.db"));
        var store = new SqliteTrainingStore(file);
        var record = Record(TrainingJobStatus.Queued);
        Assert.Null(await store.WriteAsync(0, record, [Event(1)], Token));

        Assert.Equal(StorageFault.Conflict, await store.WriteAsync(0, record, [Event(2)], Token));
        Assert.Null(await store.WriteAsync(1, record, [], Token));
        Assert.Equal(StorageFault.Conflict, await store.WriteAsync(1, record, [Event(2)], Token));

        Assert.Single(await store.EventsAsync(record.Info.Key, 0, 10, Token));
    }

    [Fact]
    public async Task Unfinished_AreAllTenantsJobsThatHaveNotEnded()
    {
        await using var file = new SqliteStore(_folder.File("jobs.db"));
        var store = new SqliteTrainingStore(file);
        TrainingJobStatus[] states = [TrainingJobStatus.Queued, TrainingJobStatus.Running, TrainingJobStatus.Paused, TrainingJobStatus.Succeeded, TrainingJobStatus.Failed, TrainingJobStatus.Cancelled];
        var jobs = states.Zip(states.Select(_ => TrainingJobKey.New(Ours)).OrderBy(key => key.Id, StringComparer.Ordinal), (status, key) => Record(status, key)).ToArray();
        foreach (var job in jobs)
        {
            Assert.Null(await store.WriteAsync(0, job, [], Token));
        }

        Assert.Equal(jobs.Take(3).Select(job => job.Info.Key), await store.UnfinishedAsync(Token));
        Assert.Equal(jobs.Reverse().Take(2).Select(job => job.Info.Key), (await store.ListAsync(Ours, null, 2, Token)).Select(info => info.Key));
        Assert.Equal([jobs[0].Info.Key], (await store.ListAsync(Ours, jobs[1].Info.Key.Id, 2, Token)).Select(info => info.Key));
        Assert.Empty(await store.ListAsync(TenantId.Default, null, 10, Token));
        Assert.Equal((3, 0), (await store.CountUnfinishedAsync(Ours, Token), await store.CountUnfinishedAsync(TenantId.Default, Token)));
    }

    [Fact]
    public async Task List_IsInTheOrderOfCreation_WhateverTheIds()
    {
        await using var file = new SqliteStore(_folder.File("jobs.db"));
        var store = new SqliteTrainingStore(file);
        var jobs = new[] { '7', '1', 'f', '3' }.Select(digit => TrainingJobKey.Parse($"acme/ftjob-{new string(digit, 32)}")).ToArray();
        foreach (var job in jobs)
        {
            var record = Record(TrainingJobStatus.Queued);
            Assert.Null(await store.WriteAsync(0, record with { Info = record.Info with { Key = job } }, [], Token));
        }

        var first = (await store.ListAsync(Ours, null, 2, Token)).Select(info => info.Key).ToArray();
        var second = (await store.ListAsync(Ours, first[1].Id, 2, Token)).Select(info => info.Key);
        Assert.Equal(jobs.Reverse(), first.Concat(second));
        Assert.Empty(await store.ListAsync(Ours, $"ftjob-{new string('9', 32)}", 2, Token));
    }

    [Fact]
    public async Task Adapters_GiveWhatWasWrittenAndRefuseAnOldVersion()
    {
        await using var file = new SqliteStore(_folder.File("jobs.db"));
        var store = new SqliteAdapterStore(file);
        var version = new AdapterVersion(ObjectId.Of([1]), "scenes", DateTimeOffset.UnixEpoch, 9, "ftjob-1", double.NaN, 0.5);
        var empty = await store.ReadAsync(Ours, Token);
        var adapter = new StoredAdapter(new AdapterInfo("formal", "scenes", version.Object, null, 0, [version]), [new AdapterTraffic(ObjectId.Of([3]), version.Object, 0.5)]);

        Assert.Null(await store.WriteAsync(Ours, empty with { Adapters = [adapter] }, Token));
        Assert.Equal(StorageFault.Conflict, await store.WriteAsync(Ours, empty, Token));

        var read = Assert.Single((await store.ReadAsync(Ours, Token)).Adapters);
        Assert.Equal(adapter.Info with { Versions = read.Info.Versions }, read.Info);
        Assert.Equal([version], read.Info.Versions);
        Assert.Equal(adapter.Before.AsSpan(), read.Before.AsSpan());
        Assert.Empty((await store.ReadAsync(TenantId.Default, Token)).Adapters);
    }

    private static TrainingEvent Event(long sequence) => new()
    {
        Sequence = sequence, At = DateTimeOffset.UnixEpoch, Kind = TrainingEventKind.Progress, Message = "step", Metrics = new TrainingMetrics(1, 2, 0.5, 1e-4, double.PositiveInfinity, 3, 0.1),
    };

    private static TrainingJobRecord Record(TrainingJobStatus status, TrainingJobKey? key = null)
    {
        var spec = new TrainingJobSpec { Model = "scenes", TrainingFile = ObjectId.Of([9]), Options = new TuningOptions { TargetModules = ["q_proj"] }, AdapterName = "formal" };
        return new TrainingJobRecord(0, new TrainingJobInfo { Key = key ?? TrainingJobKey.New(Ours), Spec = spec, Status = status, CreatedAt = DateTimeOffset.UnixEpoch }, 0, 0, [], 0);
    }
}

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Workers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Grains.Tests;

public sealed class WorkerTableTests
{
    private static readonly ImmutableHashSet<WorkerKey> Nobody = [];
    private readonly FakeTimeProvider _clock = new();
    private readonly WorkerTable _table;
    private long _epoch;

    public WorkerTableTests() => _table = new WorkerTable(_clock, NullLogger<WorkerTable>.Instance);

    [Fact]
    public void Choose_ForOneKey_StaysAndLosingAWorkerMovesOnlyItsKeys()
    {
        var keys = Enumerable.Range(0, 200).Select(n => $"key-{n}").ToArray();
        var before = keys.ToDictionary(key => key, key => ChooseAfterReport(key, Nobody));
        var lost = new WorkerKey("d", 0);
        foreach (var key in keys)
        {
            Assert.Equal(before[key], ChooseAfterReport(key, Nobody));
            Assert.Equal(before[key] == lost, before[key] != ChooseAfterReport(key, Nobody.Add(lost)));
        }

        Assert.All(before.Values.GroupBy(worker => worker), group => Assert.InRange(group.Count(), 20, 90));
    }

    [Fact]
    public void Choose_WhenTheNearestIsPlainlyBusier_TakesTheSecond()
    {
        Report(1, "a", "b");
        var nearest = _table.Choose("m", "key", Nobody)!.Value;
        _table.Apply(Load(nearest.Silo) with { Waiting = 5 }, 2);

        Assert.NotEqual(nearest, _table.Choose("m", "key", Nobody));
    }

    [Fact]
    public void Sweep_WhenAWorkerFallsSilent_MakesItUnreadyAndTellsThoseWhoWait()
    {
        Report(1, "a");
        var gone = _table.Gone(new WorkerKey("a", 0));
        _clock.Advance(WorkerTable.Silence);
        _table.Sweep();
        Assert.False(gone.IsCancellationRequested);

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        _table.Sweep();
        Assert.True(gone.IsCancellationRequested);
        Assert.Null(_table.Choose("m", "key", Nobody));
        Assert.True(_table.Knows("m"));

        var changed = _table.Changed;
        Report(2, "a");
        Assert.True(changed.IsCompleted);
        Assert.NotNull(_table.Choose("m", "key", Nobody));
        Assert.False(_table.Gone(new WorkerKey("a", 0)).IsCancellationRequested);
    }

    [Fact]
    public void Apply_OfAnOlderReport_ChangesNothing()
    {
        Report(5, "a");
        _table.Apply(Load("a") with { Ready = false }, 4);

        Assert.NotNull(_table.Choose("m", "key", Nobody));
        Assert.Null(_table.Choose("other", "key", Nobody));
        Assert.NotNull(_table.Choose("m:adapter", "key", Nobody));
    }

    [Fact]
    public void Apply_AfterSilence_TakesWhoeverSpeaksUnderTheName()
    {
        Report(5, "a");
        _clock.Advance(WorkerTable.Silence + TimeSpan.FromMilliseconds(1));
        Report(4, "a");

        Assert.NotNull(_table.Choose("m", "key", Nobody));
    }

    private static WorkerLoad Load(string silo) => new()
    {
        Worker = new WorkerKey(silo, 0),
        Ready = true,
        Models = [new ModelCard { Name = "m", ContextLength = 1, VocabSize = 1, MaxImageTokens = 1, CreatedAt = DateTimeOffset.UnixEpoch }],
    };

    private WorkerKey? ChooseAfterReport(string key, ImmutableHashSet<WorkerKey> excluded)
    {
        Report(++_epoch, "a", "b", "c", "d");
        return _table.Choose("m", key, excluded);
    }

    private void Report(long epoch, params string[] silos)
    {
        foreach (var silo in silos)
        {
            _table.Apply(Load(silo), epoch);
        }
    }
}

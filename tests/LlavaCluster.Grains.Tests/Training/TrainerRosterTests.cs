using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Grains.Training;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Grains.Tests.Training;

public sealed class TrainerRosterTests
{
    private static readonly WorkerKey Trainer = new("front", 0);

    private readonly FakeTimeProvider _clock = new();
    private readonly TrainerRoster _roster;
    private long _number;

    public TrainerRosterTests() => _roster = new TrainerRoster(new JobPace(), _clock);

    [Fact]
    public void NextGroup_OfATrainerThatWasToldALittleAgo_WaitsForItsFirstReport()
    {
        Join();
        _roster.Form([Trainer]);

        Assert.Null(_roster.NextGroup());
        _clock.Advance(new JobPace().Start);
        Assert.Equal([Trainer], _roster.NextGroup()!.Value);
    }

    [Fact]
    public void NextGroup_OfATrainerThatLeftAndJoinedAnew_IsFormedAtOnce()
    {
        Join();
        _roster.Form([Trainer]);
        Assert.True(Report(TrainerPhase.Training, generation: 1));
        Assert.Null(_roster.NextGroup());

        _roster.Remove(Trainer); // as a pause does
        Join();

        Assert.Equal([Trainer], _roster.NextGroup()!.Value);
    }

    private void Join()
    {
        _roster.Add(Trainer, "front/0:1");
        Assert.True(Report(TrainerPhase.Waiting, generation: 0));
    }

    private bool Report(TrainerPhase phase, long generation) =>
        _roster.Hear(new TrainerReport { Trainer = Trainer, Generation = generation, Number = ++_number, Phase = phase, Endpoint = "front/0:1" });
}

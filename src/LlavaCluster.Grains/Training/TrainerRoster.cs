using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Grains.Training;

/// <summary>
/// The trainers that have joined a job, as their reports tell, and what group they should form. Holds nothing that is not learned again from reports: an activation that
/// comes after a lost one waits for as long as a trainer may be silent and knows the group as it was. Not thread-safe.
/// </summary>
internal sealed class TrainerRoster(JobPace pace, TimeProvider clock)
{
    private readonly Dictionary<WorkerKey, Member> _members = [];
    private readonly long _since = clock.GetTimestamp();
    private ImmutableArray<WorkerKey> _group = [];
    private long _formedAt;
    private long _readySince;

    /// <summary>Of the group that was formed last.</summary>
    public long Generation { get; private set; }

    public int Count => _members.Count;

    public IEnumerable<WorkerKey> Members => _members.Keys.OrderBy(key => key.ToString(), StringComparer.Ordinal);

    /// <summary>In the order of their ranks.</summary>
    public ImmutableArray<WorkerKey> Group => _group;

    /// <summary>Whether every trainer that lives has had the time to report.</summary>
    public bool IsSettled => clock.GetElapsedTime(_since) >= pace.Silence;

    /// <summary>Begins where an activation before this one left the job.</summary>
    public void Restore(long generation) => Generation = generation;

    public void Add(WorkerKey trainer, string endpoint) => _members[trainer] = new Member(endpoint, clock.GetTimestamp());

    public void Remove(WorkerKey trainer) => _members.Remove(trainer);

    public bool Has(WorkerKey trainer) => _members.ContainsKey(trainer);

    /// <summary>Takes a report in.</summary>
    /// <returns>False for one that was taken before, or of a trainer that is not a member and not of the present group either.</returns>
    public bool Hear(TrainerReport report)
    {
        if (!_members.TryGetValue(report.Trainer, out var member))
        {
            if (report.Generation != Generation || report.Phase is TrainerPhase.Failed or TrainerPhase.Unable || (!_group.IsEmpty && !_group.Contains(report.Trainer)))
            {
                return false;
            }

            _members[report.Trainer] = member = new Member(report.Endpoint, clock.GetTimestamp());
        }

        member.HeardAt = clock.GetTimestamp();
        if (report.Number <= member.Number)
        {
            return false;
        }

        (member.Number, member.Phase, member.Generation, member.Step, member.Endpoint) = (report.Number, report.Phase, report.Generation, report.Step, report.Endpoint);
        return true;
    }

    /// <summary>Removes those that have fallen silent and returns them.</summary>
    public ImmutableArray<WorkerKey> DropSilent()
    {
        var silent = _members.Where(entry => clock.GetElapsedTime(entry.Value.HeardAt) > pace.Silence).Select(entry => entry.Key).ToImmutableArray();
        foreach (var trainer in silent)
        {
            _members.Remove(trainer);
        }

        return silent;
    }

    /// <summary>Whether the present group works: all of it are members, and none has parted from it.</summary>
    public bool IsGroupWhole => !_group.IsEmpty && _group.All(IsAtWork);

    /// <summary>Whether some that are ready are not in the group.</summary>
    public bool HasNewcomers => _members.Any(entry => entry.Value.Phase == TrainerPhase.Waiting && !_group.Contains(entry.Key));

    /// <summary>The group that should work now, in the order of ranks; null where the present one is whole or nobody is ready yet.</summary>
    public ImmutableArray<WorkerKey>? NextGroup()
    {
        // A new activation hears first who is at work.
        if (_group.IsEmpty && Generation > 0 && !IsSettled)
        {
            return null;
        }

        Recognise();
        if (IsGroupWhole)
        {
            return null;
        }

        var ready = _members.Where(entry => entry.Value.Phase is not TrainerPhase.Preparing).Select(entry => entry.Key).ToArray();
        if (ready.Length == 0)
        {
            _readySince = 0;
            return null;
        }

        _readySince = _readySince == 0 ? clock.GetTimestamp() : _readySince;
        if (ready.Length < _members.Count && clock.GetElapsedTime(_readySince) < pace.Reading)
        {
            return null;
        }

        // Those with the latest state first: the first of them hands it on.
        return [.. ready.OrderByDescending(key => _members[key].Step).ThenBy(key => key.ToString(), StringComparer.Ordinal)];
    }

    /// <summary>The group is told to work.</summary>
    public void Form(ImmutableArray<WorkerKey> group)
    {
        (_group, _formedAt, _readySince) = (group, clock.GetTimestamp(), 0);
        foreach (var trainer in group)
        {
            _members[trainer].IsTold = true;
        }

        Generation++;
    }

    /// <summary>In the order of ranks.</summary>
    public ImmutableArray<string> Endpoints(ImmutableArray<WorkerKey> group) => [.. group.Select(trainer => _members[trainer].Endpoint)];

    /// <summary>Nobody works any more.</summary>
    public void Dissolve()
    {
        _members.Clear();
        _group = [];
    }

    // After a lost activation: those that report the generation that was formed last are its group.
    private void Recognise()
    {
        if (_group.IsEmpty && Generation > 0)
        {
            _group = [.. _members.Where(entry => entry.Value.Generation == Generation && entry.Value.Phase is TrainerPhase.Training or TrainerPhase.Done).Select(entry => entry.Key).OrderBy(key => key.ToString(), StringComparer.Ordinal)];
            _formedAt = clock.GetTimestamp();
        }
    }

    private bool IsAtWork(WorkerKey trainer)
    {
        if (!_members.TryGetValue(trainer, out var member))
        {
            return false;
        }

        return member.Generation == Generation
            ? member.Phase is TrainerPhase.Training or TrainerPhase.Done
            : member.IsTold && clock.GetElapsedTime(_formedAt) < pace.Start; // it has not heard yet, or its first report is on its way
    }

    private sealed class Member(string endpoint, long heardAt)
    {
        public string Endpoint { get; set; } = endpoint;

        public long HeardAt { get; set; } = heardAt;

        public long Number { get; set; }

        public TrainerPhase Phase { get; set; } = TrainerPhase.Preparing;

        public long Generation { get; set; }

        public long Step { get; set; }

        /// <summary>Of the present group. One that left and joined anew was not.</summary>
        public bool IsTold { get; set; }
    }
}

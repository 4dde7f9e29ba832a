namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>Traffic over time, as far as one who changes it can know: a change happened somewhere between its call and the call's answer. One thread writes; it is read afterwards.</summary>
internal sealed class TrafficHistory(TrafficState first)
{
    private readonly List<(TimeSpan Called, TimeSpan Answered, TrafficState State)> _changes = [];

    public TrafficState Now => _changes is [.., var last] ? last.State : first;

    public int Changes => _changes.Count;

    public void Add(TimeSpan called, TimeSpan answered, TrafficState state) => _changes.Add((called, answered, state));

    /// <summary>Whether a version may have been chosen at some time between two.</summary>
    public bool MayAnswer(string? version, TimeSpan from, TimeSpan to)
    {
        var (began, state) = (TimeSpan.MinValue, first);
        foreach (var change in _changes)
        {
            if (state.Answers(version) && began <= to && change.Answered >= from)
            {
                return true;
            }

            (began, state) = (change.Called, change.State);
        }

        return state.Answers(version) && began <= to;
    }
}

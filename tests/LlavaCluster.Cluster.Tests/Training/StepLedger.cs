using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlavaCluster.Cluster.Tests.Support;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>
/// Which steps led to a job's result, as its trainers' own lines tell: the last group's, before them those of the group whose state it began with, and so on. Which samples a step takes, and that a
/// group's members share them out whatever their number, depends on the step alone (SamplePlanTests); a step once in this line is an epoch's samples once.
/// </summary>
internal sealed partial class StepLedger
{
    private readonly List<(long Generation, long First, long Last)> _line = [];
    private readonly Dictionary<long, int> _sizes = [];

    public StepLedger(string job, IEnumerable<Node> processes, IEnumerable<JsonElement> events, long total)
    {
        foreach (var group in events.Select(line => Formed().Match(line.GetProperty("message").GetString()!)).Where(match => match.Success))
        {
            _sizes[Number(group, "generation")] = group.Groups["trainers"].Value.Split(", ").Length;
        }

        var told = processes.Select(process => process.Having($"done in job").Select(line => Done().Match(line)).Where(match => match.Success && match.Groups["job"].Value == job)
            .Select(match => (Generation: Number(match, "generation"), Step: Number(match, "step"))).ToArray()).ToArray();
        foreach (var steps in told)
        {
            // What a process has done it never does again, in whatever group.
            Assert.Equal(steps.Select(done => done.Step).Distinct().Order(), steps.Select(done => done.Step));
        }

        var groups = told.SelectMany(steps => steps).GroupBy(done => done.Generation).Select(group => (Generation: group.Key, Steps: group.Select(done => done.Step).Distinct().Order().ToArray())).OrderByDescending(group => group.Generation).ToArray();
        var next = total;
        foreach (var (generation, steps) in groups)
        {
            Assert.Equal(Enumerable.Range(0, steps.Length).Select(i => steps[0] + i), steps); // none left out
            if (next > 0 && steps[0] <= next && steps[^1] >= next)
            {
                _line.Insert(0, (generation, steps[0], next));
                next = steps[0] - 1;
            }
        }

        Assert.True(next == 0, $"No group's state is the one after step {next} that the next began with: {this}");
    }

    /// <summary>Whether all of the job was done by groups of one size.</summary>
    public bool IsOf(int trainers) => _line.TrueForAll(part => _sizes[part.Generation] == trainers);

    public override string ToString() => string.Join(", ", _line.Select(part => $"{part.First}-{part.Last} by group {part.Generation} of {_sizes.GetValueOrDefault(part.Generation)}"));

    private static long Number(Match match, string group) => long.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^Group (?<generation>\d+) forms: (?<trainers>.*)\.$")]
    private static partial Regex Formed();

    [GeneratedRegex(@"Step (?<step>\d+) of group (?<generation>\d+) is done in job [^/ ]+/(?<job>\S+)$")]
    private static partial Regex Done();
}

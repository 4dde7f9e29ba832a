using System.Text.Json.Nodes;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Tuning;

namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>Changes of an adapter's traffic, drawn at random: a version is put in use or on trial, a trial ends, the last change is taken back. Knows what each must lead to. One thread.</summary>
internal sealed class TrafficChanges(TuningApi api, string adapter, IReadOnlyList<string> versions, TrafficState first, LoadClock clock, int seed)
{
    private const int MostBefore = 20; // of a server of ours, and few enough for any
    private const double TrialShare = 0.5;

    private readonly Random _random = new(seed);
    private readonly List<TrafficState> _before = [];

    public TrafficHistory History { get; } = new(first);

    /// <summary>Changes that took the last one back.</summary>
    public int RollBacks { get; private set; }

    /// <summary>What led elsewhere than it must.</summary>
    public List<string> Wrong { get; } = [];

    public async Task MakeAsync(CancellationToken cancellationToken)
    {
        var now = History.Now;
        if (_before.Count > 0 && _random.Next(3) == 0)
        {
            var last = _before[^1];
            _before.RemoveAt(_before.Count - 1);
            RollBacks++;
            await CallAsync("rollback", null, last, cancellationToken);
            return;
        }

        var version = versions.Where(version => version != now.InUse).ElementAt(_random.Next(versions.Count - 1));
        var share = _random.Next(3) switch { 0 when version == now.OnTrial => 0, 1 => TrialShare, _ => 1 };
        var next = share switch { 0 => now with { OnTrial = null }, 1 => new TrafficState(version, null), _ => now with { OnTrial = version } };
        if (next != now)
        {
            _before.Add(now);
            if (_before.Count > MostBefore)
            {
                _before.RemoveAt(0);
            }
        }

        await CallAsync("traffic", new JsonObject { ["version"] = version, ["share"] = share }, next, cancellationToken);
    }

    private async Task CallAsync(string call, JsonObject? body, TrafficState expected, CancellationToken cancellationToken)
    {
        var called = clock.Now;
        var answer = await api.PostAsync($"v1/adapters/{adapter}/{call}", body, cancellationToken);
        var state = new TrafficState((string)answer["in_use"]!, (string?)answer["on_trial"]);
        History.Add(called, clock.Now, state);
        if (state != expected)
        {
            Wrong.Add($"Change {History.Changes}, {call}: must lead to {expected}; was {state}.");
        }
    }
}

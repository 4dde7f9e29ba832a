using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Workers;

/// <summary>
/// What a front knows of the workers, from the loads they push. A worker that falls silent is unready at once and those who wait on it are told.
/// Members may be called from any thread.
/// </summary>
public sealed partial class WorkerTable(TimeProvider clock, ILogger<WorkerTable> logger)
{
    /// <summary>Several missed reports: long enough for a busy host, short against a reader's patience.</summary>
    internal static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);

    /// <summary>How long a silent worker's models are still known, so that a restart does not read as "no such model".</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    /// <summary>How many more turns may wait at the nearest worker than at the second: KV that is at hand is worth a short queue.</summary>
    private const int AffinityWorth = 4;

    private readonly Lock _gate = new();
    private readonly Dictionary<WorkerKey, Entry> _entries = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Models of all workers heard of lately, ready or not: one card a name, in the order of names.</summary>
    public ImmutableArray<ModelCard> Models
    {
        get
        {
            lock (_gate)
            {
                return [.. _entries.Values.SelectMany(entry => entry.Load.Models).GroupBy(card => card.Name).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.First())];
            }
        }
    }

    /// <summary>The last load of each worker that is not silent.</summary>
    public ImmutableArray<WorkerLoad> Live
    {
        get
        {
            lock (_gate)
            {
                return [.. _entries.Values.Where(IsLive).Select(entry => entry.Load).OrderBy(load => load.Worker.ToString(), StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Completes at the next report that makes another worker eligible, or at the loss of one.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>Takes a report; one that is not newer than the last is dropped, unless the worker had fallen silent: then whoever speaks is the worker now.</summary>
    public void Apply(WorkerLoad load, long epoch)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(load.Worker, out var entry) && epoch <= entry.Epoch && IsLive(entry))
            {
                return;
            }

            var wasEligible = entry is not null && IsLive(entry) && entry.Load.Ready;
            var gone = entry is null || entry.Gone.IsCancellationRequested ? new CancellationTokenSource() : entry.Gone;
            _entries[load.Worker] = new Entry(load, epoch, clock.GetTimestamp(), gone);
            if (wasEligible != load.Ready)
            {
                LogEligible(load.Worker, load.Ready ? "ready" : "not ready");
                Signal();
            }
        }
    }

    /// <summary>Looks for workers that fell silent; called several times a second.</summary>
    public void Sweep()
    {
        List<CancellationTokenSource> lost = [];
        lock (_gate)
        {
            foreach (var (worker, entry) in _entries.ToArray())
            {
                if (!IsLive(entry) && !entry.Gone.IsCancellationRequested)
                {
                    LogSilent(worker);
                    lost.Add(entry.Gone);
                }

                if (clock.GetElapsedTime(entry.HeardAt) > Memory)
                {
                    _entries.Remove(worker);
                }
            }

            if (lost.Count > 0)
            {
                Signal();
            }
        }

        lost.ForEach(source => source.Cancel());
    }

    /// <summary>Chooses a worker for a turn, or null if none is ready: of the two nearest to the affinity key, the second only if the first is plainly busier.</summary>
    public WorkerKey? Choose(string model, string affinityKey, IReadOnlySet<WorkerKey> excluded)
    {
        var name = ModelName.Parse(model, Serves).Base;
        lock (_gate)
        {
            var ranked = _entries.Values
                .Where(entry => entry.Load.Ready && IsLive(entry) && !excluded.Contains(entry.Load.Worker) && Serves(entry.Load, name))
                .OrderByDescending(entry => Rendezvous.Score(affinityKey, entry.Load.Worker.ToString()))
                .Take(2)
                .ToArray();
            if (ranked.Length == 0)
            {
                return null;
            }

            var chosen = ranked.Length == 2 && IsPlainlyBusier(ranked[0], ranked[1]) ? ranked[1] : ranked[0];
            chosen.SentSinceReport++;
            return chosen.Load.Worker;
        }
    }

    /// <summary>Whether any worker heard of lately, ready or not, serves a base model of this name.</summary>
    public bool Serves(string name)
    {
        lock (_gate)
        {
            return _entries.Values.Any(entry => Serves(entry.Load, name));
        }
    }

    /// <summary>Whether a model can be asked for: whether its adapter exists only its tenant's grain knows.</summary>
    public bool Knows(string model) => Serves(ModelName.Parse(model, Serves).Base);

    /// <summary>Cancelled when the worker falls silent; already cancelled for one that is not known.</summary>
    public CancellationToken Gone(WorkerKey worker)
    {
        lock (_gate)
        {
            return _entries.TryGetValue(worker, out var entry) ? entry.Gone.Token : new CancellationToken(canceled: true);
        }
    }

    private static bool Serves(WorkerLoad load, string name) => load.Models.Any(card => card.Name == name);

    private static bool IsPlainlyBusier(Entry first, Entry second) => first.Queue > second.Queue + AffinityWorth;

    private bool IsLive(Entry entry) => clock.GetElapsedTime(entry.HeardAt) <= Silence;

    private void Signal()
    {
        _changed.SetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(LogLevel.Information, "Worker {Worker} is {State}")]
    private partial void LogEligible(WorkerKey worker, string state);

    [LoggerMessage(LogLevel.Warning, "Worker {Worker} fell silent")]
    private partial void LogSilent(WorkerKey worker);

    private sealed class Entry(WorkerLoad load, long epoch, long heardAt, CancellationTokenSource gone)
    {
        public WorkerLoad Load { get; } = load;

        public long Epoch { get; } = epoch;

        public long HeardAt { get; } = heardAt;

        public CancellationTokenSource Gone { get; } = gone;

        /// <summary>Turns this front sent that the last report cannot know of.</summary>
        public int SentSinceReport { get; set; }

        public int Queue => Load.Waiting + SentSinceReport;
    }
}

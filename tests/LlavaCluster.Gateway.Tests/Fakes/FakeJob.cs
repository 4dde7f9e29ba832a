using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A job whose events the test says.</summary>
internal sealed class FakeJob(string key) : ITrainingJobGrain
{
    private readonly Lock _lock = new();
    private readonly List<TrainingEvent> _events = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Null until it is created.</summary>
    public TrainingJobInfo? Info { get; private set; }

    /// <summary>How many events were said.</summary>
    public int Events
    {
        get
        {
            lock (_lock)
            {
                return _events.Count;
            }
        }
    }

    public ImmutableArray<TrainingCheckpoint> Kept { get; set; } = [];

    /// <summary>Called before each event that a watcher gets, with its number; may throw as a lost silo does.</summary>
    public Action<long> BeforeEvent { get; set; } = _ => { };

    public Task<TrainingJobAnswer> CreateAsync(TrainingJobSpec spec, CancellationToken cancellationToken)
    {
        Info ??= new TrainingJobInfo { Key = TrainingJobKey.Parse(key), Spec = spec, Status = TrainingJobStatus.Queued, CreatedAt = DateTimeOffset.FromUnixTimeSeconds(1_760_000_000) };
        return Task.FromResult(new TrainingJobAnswer(Info, null));
    }

    /// <summary>Says an event, and how the job stands from then on.</summary>
    public void Say(string message, TrainingEventKind kind = TrainingEventKind.Message, TrainingMetrics? metrics = null, Func<TrainingJobInfo, TrainingJobInfo>? then = null)
    {
        lock (_lock)
        {
            _events.Add(new TrainingEvent { Sequence = _events.Count + 1, At = DateTimeOffset.FromUnixTimeSeconds(1_760_000_001), Kind = kind, Message = message, Metrics = metrics });
            Info = then is null ? Info : then(Info!);
            _changed.SetResult();
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public Task<TrainingJobInfo?> GetAsync(CancellationToken cancellationToken) => Task.FromResult(Info);

    public Task<TrainingJobAnswer> CancelAsync(CancellationToken cancellationToken) => ChangeAsync(info => info with { Status = TrainingJobStatus.Cancelled, FinishedAt = DateTimeOffset.UnixEpoch });

    public Task<TrainingJobAnswer> PauseAsync(CancellationToken cancellationToken) => ChangeAsync(info => info with { Status = TrainingJobStatus.Paused });

    public Task<TrainingJobAnswer> ResumeAsync(CancellationToken cancellationToken) => ChangeAsync(info => info with { Status = TrainingJobStatus.Queued });

    public Task<ImmutableArray<TrainingEvent>> EventsAsync(long after, int limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(_events.Where(line => line.Sequence > after).Take(limit).ToImmutableArray());
        }
    }

    public async IAsyncEnumerable<TrainingEvent> WatchAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            bool hasEnded;
            ImmutableArray<TrainingEvent> events;
            lock (_lock)
            {
                (changed, hasEnded, events) = (_changed.Task, Info is null or { FinishedAt: not null }, [.. _events.Where(line => line.Sequence > after)]);
            }

            foreach (var line in events)
            {
                BeforeEvent(line.Sequence);
                yield return line;
                after = line.Sequence;
            }

            if (hasEnded)
            {
                yield break;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    public Task<ImmutableArray<TrainingCheckpoint>> CheckpointsAsync(CancellationToken cancellationToken) => Task.FromResult(Kept);

    public Task TendAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<TrainerOrder> ReportAsync(TrainerReport report, CancellationToken cancellationToken) => throw new NotSupportedException();

    private Task<TrainingJobAnswer> ChangeAsync(Func<TrainingJobInfo, TrainingJobInfo> change)
    {
        Info = Info is null ? null : change(Info);
        return Task.FromResult(new TrainingJobAnswer(Info, Info is null ? new ChatFailure(ChatFailureKind.NotFound, "none") : null));
    }

    public Task<bool> DisownAsync(ObjectId stored, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task EraseAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}

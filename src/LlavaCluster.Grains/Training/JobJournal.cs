using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Training;

namespace LlavaCluster.Grains.Training;

/// <summary>A job's record and events: what is written, and who waits for more of it. Used from its grain's turns only.</summary>
internal sealed class JobJournal(TrainingJobKey job, ITrainingStore store, TimeProvider clock)
{
    /// <summary>Events of a job beside its steps. Who reads them all has an idea of what goes on by then; its end is told all the same.</summary>
    private const int MostMessages = 5_000;

    /// <summary>Events that wait for a store that takes none.</summary>
    private const int MostPending = 200;

    private readonly List<TrainingEvent> _pending = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Null until the job is created.</summary>
    public TrainingJobRecord? Record { get; private set; }

    public TrainingJobInfo Info => Record!.Info;

    public bool HasEnded => Record?.Info.Status is TrainingJobStatus.Succeeded or TrainingJobStatus.Failed or TrainingJobStatus.Cancelled;

    /// <summary>Completes at the next write.</summary>
    public Task Changed => _changed.Task;

    public async Task LoadAsync(CancellationToken cancellationToken) => Record = await store.ReadAsync(job, cancellationToken);

    /// <summary>Adds an event to the next write, unless it waits there already or there are more of them than a job may have.</summary>
    public void Say(TrainingEventKind kind, string message, TrainingMetrics? metrics = null)
    {
        if (_pending.Count < MostPending && (Record?.Events ?? 0) + _pending.Count < MostMessages + JobProgress.MostPoints)
        {
            Conclude(kind, message, metrics);
        }
    }

    /// <summary>The same of an event that no bound keeps out: a job's last.</summary>
    public void Conclude(TrainingEventKind kind, string message, TrainingMetrics? metrics = null)
    {
        // What a store that is full did not take is said again at each attempt.
        if (!_pending.Exists(waiting => waiting.Kind == kind && waiting.Message == message))
        {
            _pending.Add(new TrainingEvent { Sequence = (Record?.Events ?? 0) + _pending.Count + 1, At = clock.GetUtcNow(), Kind = kind, Message = message, Metrics = metrics });
        }
    }

    /// <summary>Writes a record and the events that were said; one that could not be written leaves memory as it was, and the events for the next write.</summary>
    /// <param name="record">With the version and the events of <see cref="Record"/>, or of a new job.</param>
    public async Task<StorageFault?> WriteAsync(TrainingJobRecord record)
    {
        var events = _pending.ToImmutableArray();
        var next = record with { Events = (Record?.Events ?? 0) + events.Length };
        // What is begun is written, whoever stops waiting for it.
        if (await store.WriteAsync(Record?.Version ?? 0, next, events, CancellationToken.None) is { } fault)
        {
            return fault;
        }

        _pending.RemoveRange(0, events.Length);
        Record = next with { Version = (Record?.Version ?? 0) + 1 };
        _changed.SetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return null;
    }

    /// <summary>Removes the job; who watches it hears no more.</summary>
    /// <exception cref="IOException">The store did not take the write.</exception>
    public async Task DeleteAsync()
    {
        await store.DeleteAsync(job, CancellationToken.None);
        Record = null;
        _changed.SetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Whether some job of the tenant names an object.</summary>
    public Task<bool> IsNamedAsync(ObjectId id, CancellationToken cancellationToken) => store.IsNamedAsync(job.Tenant, id, cancellationToken);

    public Task<ImmutableArray<TrainingEvent>> EventsAsync(long after, int limit, CancellationToken cancellationToken) => store.EventsAsync(job, after, limit, cancellationToken);
}

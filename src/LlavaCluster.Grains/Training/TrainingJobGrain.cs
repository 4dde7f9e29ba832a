using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Training;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Training;

/// <summary>A job: its identity, the order of its calls and its state. What is due it does in <see cref="JobCoordinator"/>, several times a minute and after every report.</summary>
[CollectionAgeLimit(Minutes = 10)]
internal sealed partial class TrainingJobGrain(ITrainingStore store, IObjectStore objects, JobSurroundings surroundings, ILogger<TrainingJobGrain> logger) : Grain, ITrainingJobGrain
{
    private const int EventsAtOnce = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private TrainingJobKey _key;
    private JobJournal _journal = null!;
    private JobCoordinator _coordinator = null!;
    private IGrainTimer? _timer;

    private TimeSpan Round => surroundings.Pace.Round;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = TrainingJobKey.Parse(this.GetPrimaryKeyString());
        _journal = new JobJournal(_key, store, surroundings.Clock);
        await _journal.LoadAsync(cancellationToken);
        _coordinator = new JobCoordinator(_key, _journal, objects, surroundings, DeactivateOnIdle, logger);
        Wind();
    }

    public async Task<TrainingJobAnswer> CreateAsync(TrainingJobSpec spec, CancellationToken cancellationToken)
    {
        if (_journal.Record is not null)
        {
            return new TrainingJobAnswer(_journal.Info, null);
        }

        var info = new TrainingJobInfo { Key = _key, Spec = spec, Status = TrainingJobStatus.Queued, CreatedAt = surroundings.Clock.GetUtcNow() };
        _journal.Say(TrainingEventKind.Message, $"Created job {_key.Id}: {spec.AdapterName} for {spec.Model}.");
        if (await _journal.WriteAsync(new TrainingJobRecord(0, info, 0, 0, [], 0)) is { } fault)
        {
            DeactivateOnIdle();
            return new TrainingJobAnswer(null, fault == StorageFault.Full
                ? new ChatFailure(ChatFailureKind.StorageFull, "The store is full; the job was not created.")
                : new ChatFailure(ChatFailureKind.Internal, "The store did not take the job; it was not created."));
        }

        Wind();
        return new TrainingJobAnswer(_journal.Info, null);
    }

    public Task<TrainingJobInfo?> GetAsync(CancellationToken cancellationToken)
    {
        if (_journal.Record is null)
        {
            DeactivateOnIdle(); // ids are easily made up
        }

        return Task.FromResult(_journal.Record is null ? null : _coordinator.Info);
    }

    public Task<TrainingJobAnswer> CancelAsync(CancellationToken cancellationToken) => ChangeAsync(_coordinator.CancelAsync);

    public Task<TrainingJobAnswer> PauseAsync(CancellationToken cancellationToken) => ChangeAsync(_coordinator.PauseAsync);

    public Task<TrainingJobAnswer> ResumeAsync(CancellationToken cancellationToken) => ChangeAsync(_coordinator.ResumeAsync);

    public Task<ImmutableArray<TrainingEvent>> EventsAsync(long after, int limit, CancellationToken cancellationToken) => _journal.EventsAsync(after, limit, cancellationToken);

    public async IAsyncEnumerable<TrainingEvent> WatchAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (_journal.Record is not null)
        {
            // Asked before the events are read: what is written in between must not be waited for.
            var (changed, hasEnded) = (_journal.Changed, _journal.HasEnded);
            var events = await _journal.EventsAsync(after, EventsAtOnce, cancellationToken);
            foreach (var line in events)
            {
                yield return line;
                after = line.Sequence;
            }

            if (events.Length > 0)
            {
                continue;
            }

            if (hasEnded)
            {
                yield break;
            }

            await Task.WhenAny(changed, Task.Delay(Patience, surroundings.Clock, cancellationToken));
        }
    }

    public Task<ImmutableArray<TrainingCheckpoint>> CheckpointsAsync(CancellationToken cancellationToken) => Task.FromResult(_journal.Record?.Checkpoints ?? []);

    public async Task TendAsync(CancellationToken cancellationToken)
    {
        if (_journal.Record is null || _journal.HasEnded)
        {
            Unwind();
            return;
        }

        DelayDeactivation(TimeSpan.FromMinutes(1));
        await _coordinator.TendAsync();
    }

    public async Task<bool> DisownAsync(ObjectId stored, CancellationToken cancellationToken)
    {
        if (_journal.Record is not null && !_journal.HasEnded)
        {
            return false;
        }

        // Equal states of two jobs are one object, and so may be what they made of them.
        async Task<bool> IsNamedAsync() => await _journal.IsNamedAsync(stored, CancellationToken.None)
            || (await surroundings.Adapters(_key.Tenant).ListAsync(CancellationToken.None)).Any(adapter => adapter.Versions.Any(version => version.Object == stored));
        await objects.DeleteUnlessAsync(_key.Tenant, stored, IsNamedAsync);

        if (_journal.Record is null)
        {
            DeactivateOnIdle();
        }

        return true;
    }

    public async Task EraseAsync(CancellationToken cancellationToken)
    {
        if (_journal.Record is not null && !_journal.HasEnded && await _coordinator.CancelAsync() is { } failure)
        {
            throw new OrleansException($"Job {_key} was not cancelled: {failure.Message}");
        }

        if (_journal.Record is not null)
        {
            await _journal.DeleteAsync();
        }

        Unwind();
        DeactivateOnIdle();
    }

    public Task<TrainerOrder> ReportAsync(TrainerReport report, CancellationToken cancellationToken) =>
        _journal.Record is null ? Task.FromResult(TrainerOrder.Leave) : _coordinator.ReportAsync(report);

    private async Task<TrainingJobAnswer> ChangeAsync(Func<Task<ChatFailure?>> change)
    {
        if (_journal.Record is null)
        {
            return new TrainingJobAnswer(null, new ChatFailure(ChatFailureKind.NotFound, $"There is no job {_key.Id}."));
        }

        var failure = await change();
        return new TrainingJobAnswer(failure is null ? _coordinator.Info : null, failure);
    }

    private void Wind()
    {
        if (_journal.Record is not null && !_journal.HasEnded && _timer is null)
        {
            LogCoordinates(_key);
            _timer = this.RegisterGrainTimer(TendAsync, new GrainTimerCreationOptions(TimeSpan.Zero, Round));
        }
    }

    private void Unwind()
    {
        _timer?.Dispose();
        _timer = null;
    }

    [LoggerMessage(LogLevel.Information, "Job {Job} is coordinated here")]
    private partial void LogCoordinates(TrainingJobKey job);
}

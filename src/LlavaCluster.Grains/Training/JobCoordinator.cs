using System.Collections.Immutable;
using System.Security.Cryptography;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Training;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Training;

/// <summary>
/// Brings a job to its end: asks its tenant, gathers trainers, puts them into groups, keeps checkpoints, publishes the result. Runs in its grain's turns. What it does
/// may be done again by an activation that comes after: joining, forming a group and publishing are idempotent, and a group that nobody remembers is recognised by its reports.
/// </summary>
/// <param name="stale">Called when another activation has written.</param>
internal sealed partial class JobCoordinator(TrainingJobKey job, JobJournal journal, IObjectStore objects, JobSurroundings surroundings, Action stale, ILogger logger)
{
    private const int SecretBytes = 32;

    /// <summary>Groups that may break one after the other without a step between them before the job is taken for what breaks them.</summary>
    private const int MostBreaks = 8;

    private readonly TrainerRoster _roster = Restored(new TrainerRoster(surroundings.Pace, surroundings.Clock), journal);
    private readonly Dictionary<WorkerKey, DateTimeOffset> _excluded = [];
    private readonly JobProgress _progress = new();
    private readonly JobCheckpoints _checkpoints = new(job, journal, objects);
    private readonly JobQuota _quota = new(job, objects, surroundings);
    private TrainingJobInfo? _live;
    private string? _failure;
    private double _uncharged;
    private DateTimeOffset _chargedAt;
    private (long Step, int Breaks) _breaks;

    /// <summary>What to write next, but for what it changes.</summary>
    private TrainingJobRecord Current => journal.Record! with { Checkpoints = _checkpoints.Kept };

    /// <summary>The job with what is known since the last write.</summary>
    public TrainingJobInfo Info => (_live ?? journal.Info) with { Trainers = [.. _roster.Members.Select(trainer => trainer.ToString())] };

    public async Task<ChatFailure?> CancelAsync()
    {
        if (journal.HasEnded)
        {
            return journal.Info.Status == TrainingJobStatus.Cancelled ? null : new ChatFailure(ChatFailureKind.Conflict, $"The job has ended: {journal.Info.Status}.");
        }

        return await EndAsync(Info with { Status = TrainingJobStatus.Cancelled }, TrainingEventKind.Message, "The job was cancelled.");
    }

    public Task<ChatFailure?> PauseAsync() => journal.Info.Status switch
    {
        TrainingJobStatus.Paused when !journal.Record!.WaitsForQuota => Task.FromResult<ChatFailure?>(null),
        TrainingJobStatus.Paused or TrainingJobStatus.Queued or TrainingJobStatus.Running => WriteAsync(Info with { Status = TrainingJobStatus.Paused, Reason = "It was paused by its tenant." }, TrainingEventKind.Message, "The job was paused."),
        _ => Task.FromResult<ChatFailure?>(new ChatFailure(ChatFailureKind.Conflict, $"The job has ended: {journal.Info.Status}.")),
    };

    public Task<ChatFailure?> ResumeAsync() => journal.Info.Status switch
    {
        TrainingJobStatus.Paused => WriteAsync(Info with { Status = TrainingJobStatus.Queued, Reason = null }, TrainingEventKind.Message, "The job goes on."),
        TrainingJobStatus.Queued or TrainingJobStatus.Running => Task.FromResult<ChatFailure?>(null),
        _ => Task.FromResult<ChatFailure?>(new ChatFailure(ChatFailureKind.Conflict, $"The job has ended: {journal.Info.Status}.")),
    };

    /// <summary>Does what is due.</summary>
    public async Task TendAsync()
    {
        foreach (var lost in _roster.DropSilent())
        {
            LogLost(job, lost);
            journal.Say(TrainingEventKind.Warning, $"Trainer {lost} fell silent.");
        }

        if (!await MayTrainAsync() || journal.Info.Status == TrainingJobStatus.Paused)
        {
            return;
        }

        await GatherAsync();
        if (_roster.NextGroup() is { } group)
        {
            await FormAsync(group);
        }
    }

    /// <summary>Takes a trainer's report and tells it what to do.</summary>
    public async Task<TrainerOrder> ReportAsync(TrainerReport report)
    {
        if (!journal.HasEnded && _roster.Hear(report))
        {
            _uncharged += report.DeviceSeconds;
            await TakeAsync(report);
        }

        return OrderFor(report);
    }

    private static TrainerRoster Restored(TrainerRoster roster, JobJournal journal)
    {
        roster.Restore(journal.Record?.Generation ?? 0);
        return roster;
    }

    private TrainerOrder OrderFor(TrainerReport report)
    {
        if (journal.HasEnded || !_roster.Has(report.Trainer))
        {
            return TrainerOrder.Leave;
        }

        if (journal.Info.Status == TrainingJobStatus.Paused)
        {
            if (report.Phase == TrainerPhase.Training)
            {
                return TrainerOrder.Part;
            }

            _roster.Remove(report.Trainer);
            return TrainerOrder.Leave;
        }

        return report.Phase == TrainerPhase.Training && report.Generation == _roster.Generation && _roster.HasNewcomers ? TrainerOrder.PartAtEpochEnd : TrainerOrder.Continue;
    }

    private async Task TakeAsync(TrainerReport report)
    {
        var before = Info;
        _checkpoints.Take(report);
        if (report.Message is { } message && report.Phase != TrainerPhase.Failed)
        {
            journal.Say(report.Phase is TrainerPhase.Unable or TrainerPhase.Parted ? TrainingEventKind.Warning : TrainingEventKind.Message, $"{report.Trainer}: {message}");
        }

        var begins = report.Phase == TrainerPhase.Training && before.Status == TrainingJobStatus.Queued;
        _live = before with
        {
            Status = begins ? TrainingJobStatus.Running : before.Status,
            StartedAt = report.Phase == TrainerPhase.Training ? before.StartedAt ?? surroundings.Clock.GetUtcNow() : before.StartedAt,
            Reason = begins ? null : before.Reason,
            Step = report.Metrics?.Step ?? before.Step,
            TotalSteps = report.TotalSteps > 0 ? report.TotalSteps : before.TotalSteps,
            TrainedTokens = before.TrainedTokens + report.TrainedTokens,
            DeviceSeconds = before.DeviceSeconds + report.DeviceSeconds,
            EstimatedFinish = report.Metrics is { } at ? Estimate(at) : before.EstimatedFinish,
        };
        if (_progress.Add(report.Metrics, report.TrainedTokens) is { } metrics)
        {
            journal.Say(TrainingEventKind.Progress, $"Step {metrics.Step}/{metrics.TotalSteps}: loss {metrics.Loss:0.0000}.", metrics);
        }

        await SettleAsync(report, Current with { Info = _live }, begins);
    }

    private async Task SettleAsync(TrainerReport report, TrainingJobRecord record, bool begins)
    {
        switch (report)
        {
            case { Phase: TrainerPhase.Done, Result: { } result }:
                await PublishAsync(record, result);
                return;
            case { Phase: TrainerPhase.Failed }:
                _failure ??= report.Message ?? "The job failed."; // said once, and needed until the end is written
                await EndAsync(Info with { Status = TrainingJobStatus.Failed, Reason = _failure }, TrainingEventKind.Error, _failure);
                return;
            case { Phase: TrainerPhase.Unable }:
                _excluded[report.Trainer] = surroundings.Clock.GetUtcNow() + surroundings.Pace.Exclusion;
                _roster.Remove(report.Trainer);
                break;
        }

        if (begins || report.Metrics is not null || report.Checkpoint is not null || report.Message is not null || !report.Damaged.IsEmpty)
        {
            await WriteAsync(record);
        }
    }

    private DateTimeOffset? Estimate(TrainingMetrics at)
    {
        if (_live?.StartedAt is not { } started || at.Step == 0)
        {
            return null;
        }

        var now = surroundings.Clock.GetUtcNow();
        return now + ((now - started) * ((at.TotalSteps - at.Step) / (double)at.Step));
    }

    /// <summary>Whether the tenant's quotas let the job train; pauses and lets go on accordingly.</summary>
    private async Task<bool> MayTrainAsync()
    {
        var now = surroundings.Clock.GetUtcNow();
        var waits = journal.Record!.WaitsForQuota;
        if (journal.Info.Status == TrainingJobStatus.Paused && !waits && _uncharged == 0)
        {
            return false;
        }

        if (now - _chargedAt < surroundings.Pace.Charge)
        {
            return journal.Info.Status != TrainingJobStatus.Paused;
        }

        _chargedAt = now;
        var (number, seconds) = (journal.Record.Charges + 1, _uncharged);
        var refused = await _quota.ChargeAsync(number, seconds);
        _uncharged -= seconds;
        if (refused is not null && journal.Info.Status != TrainingJobStatus.Paused)
        {
            journal.Say(TrainingEventKind.Warning, $"The job waits: {refused.Message}");
            await WriteAsync(Current with { Charges = number, Info = Info with { Status = TrainingJobStatus.Paused, Reason = refused.Message }, WaitsForQuota = true });
            return false;
        }

        if (refused is null && waits)
        {
            journal.Say(TrainingEventKind.Message, "The job goes on: its tenant's quota allows it again.");
            await WriteAsync(Current with { Charges = number, Info = Info with { Status = TrainingJobStatus.Queued, Reason = null }, WaitsForQuota = false });
            return true;
        }

        if (seconds > 0)
        {
            await WriteAsync(Current with { Charges = number, Info = Info });
        }

        return refused is null && journal.Info.Status != TrainingJobStatus.Paused;
    }

    /// <summary>Charges the time since the last charge, of a job that has ended: short ones have no other.</summary>
    private async Task ChargeRestAsync()
    {
        if (_uncharged > 0)
        {
            await surroundings.Tenant(job.Tenant).TrainAsync(job.Id, journal.Record!.Charges + 1, _uncharged, CancellationToken.None);
            _uncharged = 0;
        }
    }

    /// <summary>Asks free trainers to join, as many as are missing.</summary>
    private async Task GatherAsync()
    {
        var spec = journal.Info.Spec;
        // An activation that comes after a lost one hears first who works already.
        if (_roster.Generation > 0 && !_roster.IsSettled)
        {
            return;
        }

        var now = surroundings.Clock.GetUtcNow();
        var free = surroundings.Workers.Live
            .Where(load => load is { Ready: true, Trainer: { } card } && card.Models.Contains(spec.Model) && (card.Job is null || card.Job == job.ToString()))
            .Select(load => load.Worker)
            .Where(worker => !_roster.Has(worker) && !(_excluded.TryGetValue(worker, out var until) && until > now))
            .Take(Math.Max(0, spec.MaxTrainers - _roster.Count));
        foreach (var worker in free.ToArray())
        {
            if (await TryAsync(worker, cancellation => surroundings.Trainer(worker).JoinAsync(new TrainerAssignment(job, spec), cancellation)) is { } endpoint)
            {
                _roster.Add(worker, endpoint);
                journal.Say(TrainingEventKind.Message, $"Trainer {worker} joined.");
            }
        }
    }

    private async Task FormAsync(ImmutableArray<WorkerKey> group)
    {
        var generation = _roster.Generation + 1;
        journal.Say(TrainingEventKind.Message, $"Group {generation} forms: {string.Join(", ", group)}.");
        // The number is durable before anybody hears it: no two groups ever have the same.
        if (await WriteAsync(Current with { Generation = generation, Info = Info }) is not null)
        {
            return;
        }

        if (CountBreak())
        {
            const string reason = "Group after group of trainers broke without a step between them.";
            await EndAsync(Info with { Status = TrainingJobStatus.Failed, Reason = reason }, TrainingEventKind.Error, reason);
            return;
        }

        _roster.Form(group);
        var (endpoints, secret, checkpoints) = (_roster.Endpoints(group), RandomNumberGenerator.GetBytes(SecretBytes).ToImmutableArray(), journal.Record!.Checkpoints);
        var told = await Task.WhenAll(group.Select((trainer, rank) => TryAsync(
            trainer,
            async cancellation => await surroundings.Trainer(trainer).TrainAsync(job, new TrainerGroup(generation, rank, endpoints, secret, checkpoints), cancellation) ? "told" : null)));
        foreach (var (trainer, _) in group.Zip(told).Where(pair => pair.Second is null))
        {
            _roster.Remove(trainer); // the next round forms a group without it
        }
    }

    private bool CountBreak()
    {
        var step = Info.Step;
        _breaks = step > _breaks.Step || _breaks.Breaks == 0 ? (step, 1) : (step, _breaks.Breaks + 1);
        return _breaks.Breaks > MostBreaks;
    }

    private async Task PublishAsync(TrainingJobRecord record, TrainingResult result)
    {
        var spec = record.Info.Spec;
        var version = new AdapterVersion(result.Adapter, spec.Model, surroundings.Clock.GetUtcNow(), result.Bytes, job.Id, result.BaseLoss, result.AdapterLoss);
        var answer = await surroundings.Adapters(job.Tenant).PublishAsync(spec.AdapterName, version, spec.TrafficShare, CancellationToken.None);
        journal.Say(TrainingEventKind.Message, $"Held-out loss: {result.BaseLoss:0.0000} of the base, {result.AdapterLoss:0.0000} with the adapter.");
        if (answer.Failure?.Kind == ChatFailureKind.StorageFull)
        {
            LogNotWritten(job, StorageFault.Full);
            return; // the trainer reports its result until the job has ended
        }

        var message = answer.Failure is null
            ? $"The job succeeded; {spec.Model}:{spec.AdapterName} answers."
            : $"The job succeeded, but its adapter was not published: {answer.Failure.Message}";
        await EndAsync(record.Info with { Status = TrainingJobStatus.Succeeded, Result = result, Reason = answer.Failure?.Message, EstimatedFinish = null }, TrainingEventKind.Message, message);
    }

    private async Task<ChatFailure?> EndAsync(TrainingJobInfo info, TrainingEventKind kind, string message)
    {
        journal.Conclude(kind, message);
        var fault = await WriteAsync(journal.Record! with { Info = info with { FinishedAt = surroundings.Clock.GetUtcNow(), Trainers = [] }, Checkpoints = _checkpoints.LeftBy(info.Status) });
        if (fault is not null)
        {
            return fault;
        }

        _live = null;
        var trainers = _roster.Members.ToArray();
        _roster.Dissolve();
        await ChargeRestAsync();
        // Those that cannot be told are told when they report.
        await Task.WhenAll(trainers.Select(trainer => TryAsync<string>(trainer, async cancellation =>
        {
            await surroundings.Trainer(trainer).LeaveAsync(job, cancellation);
            return null;
        })));
        await _quota.EndAsync();
        return null;
    }

    private Task<ChatFailure?> WriteAsync(TrainingJobInfo info, TrainingEventKind kind, string message)
    {
        journal.Say(kind, message);
        return WriteAsync(Current with { Info = info, WaitsForQuota = false });
    }

    private async Task<ChatFailure?> WriteAsync(TrainingJobRecord record)
    {
        var known = _checkpoints.All;
        switch (await journal.WriteAsync(record with { Info = record.Info with { Trainers = [] } }))
        {
            case null:
                _live = journal.Info;
                await _checkpoints.WrittenAsync(known);
                return null;
            case StorageFault.Conflict:
                stale();
                throw new OrleansException($"Job {job} went on elsewhere.");
            case StorageFault.Full:
                LogNotWritten(job, StorageFault.Full);
                return new ChatFailure(ChatFailureKind.StorageFull, "The store is full; the job is as it was.");
            case { } fault:
                LogNotWritten(job, fault);
                return new ChatFailure(ChatFailureKind.Internal, "The store did not answer; the job is as it was.");
        }
    }

    /// <summary>A call to a trainer, or null where it fails or is late.</summary>
    private async Task<T?> TryAsync<T>(WorkerKey trainer, Func<CancellationToken, Task<T?>> call)
        where T : class
    {
        using var late = new CancellationTokenSource(surroundings.Pace.Call, surroundings.Clock);
        try
        {
            return await call(late.Token).WaitAsync(late.Token);
        }
        catch (Exception fault)
        {
            // Whatever it is, it is that trainer's: the job goes on with others, and asks it again.
            LogNotReached(job, trainer, fault.Message);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Job {Job} lost trainer {Trainer}")]
    private partial void LogLost(TrainingJobKey job, WorkerKey trainer);

    [LoggerMessage(LogLevel.Warning, "Job {Job} did not reach trainer {Trainer}: {Reason}")]
    private partial void LogNotReached(TrainingJobKey job, WorkerKey trainer, string reason);

    [LoggerMessage(LogLevel.Warning, "Job {Job} was not written: {Fault}")]
    private partial void LogNotWritten(TrainingJobKey job, StorageFault fault);
}

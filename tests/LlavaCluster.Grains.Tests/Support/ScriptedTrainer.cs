using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Hosting.Tenancy;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A trainer whose steps are the test's to make: it joins, hears of groups and reports what it is told to report. Members may be called from any thread.</summary>
internal sealed class ScriptedTrainer(WorkerKey key, IGrainFactory grains, TenantStamps stamps)
{
    private readonly Lock _gate = new();
    private TrainerPhase _phase = TrainerPhase.Waiting;
    private TrainerGroup? _group;
    private long _number = TimeProvider.System.GetUtcNow().UtcTicks;

    public TrainingJobKey? Job { get; private set; }

    public WorkerKey Key => key;

    /// <summary>Steps that its state has done.</summary>
    public long Step { get; set; }

    /// <summary>The group it works in; null where it is in none.</summary>
    public TrainerGroup? Group
    {
        get
        {
            lock (_gate)
            {
                return _group;
            }
        }
    }

    public List<TrainerGroup> Groups { get; } = [];

    public string? Join(TrainerAssignment assignment)
    {
        lock (_gate)
        {
            if (Job is { } other && other != assignment.Job)
            {
                return null;
            }

            Job = assignment.Job;
            return $"{key}:1";
        }
    }

    public bool Train(TrainingJobKey job, TrainerGroup group)
    {
        lock (_gate)
        {
            if (Job != job)
            {
                return false;
            }

            (_group, _phase) = (group, TrainerPhase.Training);
            Groups.Add(group);
            return true;
        }
    }

    public void Leave(TrainingJobKey job)
    {
        lock (_gate)
        {
            if (Job == job)
            {
                (Job, _group, _phase) = (null, null, TrainerPhase.Waiting);
            }
        }
    }

    /// <summary>Reports as it stands, or as told.</summary>
    public async Task<TrainerOrder> ReportAsync(Func<TrainerReport, TrainerReport>? with = null)
    {
        TrainerReport report;
        TrainingJobKey job;
        lock (_gate)
        {
            if (Job is not { } joined)
            {
                return TrainerOrder.Leave;
            }

            job = joined;
            report = new TrainerReport
            {
                Trainer = key, Generation = _group?.Generation ?? 0, Number = ++_number, Phase = _phase, Endpoint = $"{key}:1", Step = Step, TotalSteps = 10, StepsPerEpoch = 5, DeviceSeconds = 1,
            };
            report = with?.Invoke(report) ?? report;
            _phase = report.Phase;
        }

        stamps.Stamp(job.Tenant);
        var order = await grains.GetGrain<ITrainingJobGrain>(job.ToString()).ReportAsync(report, CancellationToken.None);
        if (order == TrainerOrder.Leave)
        {
            Leave(job);
        }

        return order;
    }

    public Task<TrainerOrder> StepAsync() => ReportAsync(report => report with { Step = ++Step, Metrics = new TrainingMetrics(Step, 10, 1.0 / Step, 1e-4, 1, 100, Step / 5.0), TrainedTokens = 7 });
}

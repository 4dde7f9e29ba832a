using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Grains.Training;

/// <summary>A job's saved states: which of them its next record names, and the removal of those that no record names any more. Used from its grain's turns only.</summary>
internal sealed class JobCheckpoints(TrainingJobKey job, JobJournal journal, IObjectStore objects)
{
    private const int MostKept = 3;

    /// <summary>Of a job that has ended: how far it came, and from where it could be gone on by hand.</summary>
    private const int MostLeft = 1;

    private ImmutableArray<TrainingCheckpoint>? _unwritten; // what a store that was full did not take

    /// <summary>All there are, written or not, the latest first.</summary>
    public ImmutableArray<TrainingCheckpoint> All => _unwritten ?? journal.Record!.Checkpoints;

    /// <summary>Those of a job that goes on.</summary>
    public ImmutableArray<TrainingCheckpoint> Kept => [.. All.Take(MostKept)];

    /// <summary>Those of a job that ends: the last one, or of a cancelled one none.</summary>
    public ImmutableArray<TrainingCheckpoint> LeftBy(TrainingJobStatus status) => status == TrainingJobStatus.Cancelled ? [] : [.. All.Take(MostLeft)];

    /// <summary>Takes in what a trainer stored, and what it found damaged.</summary>
    public void Take(TrainerReport report)
    {
        var known = All;
        foreach (var damaged in known.Where(checkpoint => report.Damaged.Contains(checkpoint.Object)))
        {
            journal.Say(TrainingEventKind.Warning, $"The checkpoint of step {damaged.Step} is damaged and was skipped.");
        }

        known = known.RemoveAll(checkpoint => report.Damaged.Contains(checkpoint.Object));
        if (report.Checkpoint is { } made && known.All(checkpoint => checkpoint.Object != made.Object))
        {
            known = [made, .. known];
            journal.Say(TrainingEventKind.Message, $"Checkpoint at step {made.Step}: {made.Object}.");
        }

        _unwritten = known;
    }

    /// <summary>A record was written: what it does not name goes, unless another job names it. Jobs of the same data and recipe have the same states, and equal states are one object.</summary>
    /// <param name="known"><see cref="All"/> as it was before.</param>
    public async Task WrittenAsync(ImmutableArray<TrainingCheckpoint> known)
    {
        _unwritten = null;
        foreach (var old in known.Where(old => All.All(checkpoint => checkpoint.Object != old.Object)))
        {
            if (!await journal.IsNamedAsync(old.Object, CancellationToken.None))
            {
                await objects.DeleteAsync(job.Tenant, old.Object, CancellationToken.None);
            }
        }
    }
}

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Storage.Training;

/// <summary>Everything durable of one job but its events.</summary>
/// <param name="Version">Writes so far.</param>
/// <param name="Events">How many there are.</param>
/// <param name="Generation">Of the last group that was formed.</param>
/// <param name="Checkpoints">Those that are kept, the latest first.</param>
/// <param name="Charges">How often device time was charged to the tenant.</param>
/// <param name="WaitsForQuota">It is paused by a quota and not by its tenant, and goes on by itself.</param>
public sealed record TrainingJobRecord(
    long Version,
    TrainingJobInfo Info,
    long Events,
    long Generation,
    ImmutableArray<TrainingCheckpoint> Checkpoints,
    long Charges,
    bool WaitsForQuota = false);

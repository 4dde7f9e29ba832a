using LlavaCluster.Training.Data;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Replicas;

namespace LlavaCluster.Training.Runs;

/// <summary>
/// Runs one phase to its end or until it is cancelled, from its checkpoint if there is one. Batch b of step s is the same whatever happened before, so an interrupted
/// phase continues as if it had not been.
/// </summary>
/// <param name="prepare">Makes a replica's batch of samples [first, first + count); called ahead on pool threads.</param>
public sealed class Phase<TBatch>(ReplicaGroup<TBatch> replicas, Func<long, int, TBatch> prepare, PhaseOptions options, TimeProvider time)
{
    /// <param name="checkpoint">The phase's state; made where there is none.</param>
    /// <param name="report">Gets progress on the calling thread.</param>
    /// <param name="saved">Called after each checkpoint; null for nothing.</param>
    /// <param name="cancellationToken">Ends the run after the step under way and a checkpoint.</param>
    /// <returns>Whether the phase is complete.</returns>
    public bool Run(string checkpoint, Action<TrainingProgress> report, Action? saved, CancellationToken cancellationToken)
    {
        using var optimiser = new FusedAdamW(Groups(), options.Optimiser);
        var schedule = new LearningRateSchedule(options.Steps, Math.Max(1, (long)(options.Steps * options.Warmup)));
        var step = PhaseCheckpoint.Restore(checkpoint, replicas.Trained, optimiser);
        var each = options.SamplesPerStep / replicas.Count;
        using var batches = new OrderedPrefetcher<TBatch>(index => prepare(index * each, each), step * replicas.Count, (2 * replicas.Count) + 2);
        var meter = new ProgressMeter(options, step, time);
        var lastSave = time.GetTimestamp();
        while (step < options.Steps && !cancellationToken.IsCancellationRequested)
        {
            TBatch[] parts = [.. Enumerable.Range(0, replicas.Count).Select(_ => batches.Next())];
            var loss = replicas.Backward(parts);
            var rate = schedule.At(step);
            optimiser.Step(rate);
            step++;
            if (!double.IsFinite(loss))
            {
                throw new InvalidOperationException($"The loss of {options.Name} is {loss} at step {step}; the last checkpoint is as it was.");
            }

            meter.Add(loss, parts.Sum(replicas.First.Terms));
            if (meter.IsDue || step == options.Steps)
            {
                report(meter.Report(step, options.LearningRate * rate));
            }

            if (step == options.Steps || time.GetElapsedTime(lastSave) >= options.CheckpointEvery)
            {
                PhaseCheckpoint.Save(checkpoint, replicas.Trained, optimiser, step);
                lastSave = time.GetTimestamp();
                saved?.Invoke();
            }
        }

        if (step < options.Steps)
        {
            PhaseCheckpoint.Save(checkpoint, replicas.Trained, optimiser, step);
            saved?.Invoke();
        }

        return step == options.Steps;
    }

    private List<ParameterGroup> Groups()
    {
        var decays = replicas.Trained.ToLookup(parameter => parameter.Value.dim() > 1 && !parameter.Name.Contains("embed", StringComparison.Ordinal));
        return
        [
            new ParameterGroup([.. decays[true]], options.LearningRate, options.WeightDecay),
            new ParameterGroup([.. decays[false]], options.LearningRate, 0),
        ];
    }
}

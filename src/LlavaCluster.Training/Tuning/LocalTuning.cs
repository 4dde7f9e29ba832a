using LlavaCluster.Training.Tuning.Checkpoints;

namespace LlavaCluster.Training.Tuning;

/// <summary>
/// A whole run in this process, from its last checkpoint if there is one. After a stop by its token, and after a kill, the same call goes on and ends in the same parameters. Blocks
/// its thread, which becomes the training thread.
/// </summary>
/// <param name="work">Checkpoints and <c>steps.csv</c>; keep it to go on.</param>
public sealed class LocalTuning(TuningRun run, string work, TimeProvider time)
{
    public const string StepFile = "steps.csv";

    /// <summary>Default: two minutes.</summary>
    public TimeSpan CheckpointEvery { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Told of what is no step, in a sentence: a checkpoint that was found, or one that is damaged.</summary>
    public Action<string> Note { get; init; } = _ => { };

    /// <param name="report">Gets every step on the calling thread.</param>
    /// <param name="cancellationToken">Ends the run after the step under way and a checkpoint.</param>
    public LocalTuningResult Run(Action<TuningProgress> report, CancellationToken cancellationToken)
    {
        var store = new CheckpointStore(work);
        if (store.Restore(run.Restore, Note) is { } found)
        {
            Note($"Goes on from step {found.Step} of {run.TotalSteps}.");
        }

        using var log = new StepLog(Path.Combine(work, StepFile), run.Step);
        var before = run.Evaluate(ofBase: true, cancellationToken: cancellationToken);
        var (began, first, saved, terms) = (time.GetTimestamp(), run.Step, time.GetTimestamp(), 0L);
        while (run.Step < run.TotalSteps && !cancellationToken.IsCancellationRequested)
        {
            var sum = run.Accumulate(run.Step, 0, 1);
            var outcome = sum.Divergence is null ? run.Apply(sum.Terms) : default;
            if ((sum.Divergence ?? outcome.Divergence) is { } divergence)
            {
                return new LocalTuningResult(false, before, null, log.Steps, run.Blame(divergence).OfType<Divergence>().FirstOrDefault() ?? divergence);
            }

            terms += sum.Terms;
            var isEpoch = run.Step % run.StepsPerEpoch == 0;
            log.Add(new StepRecord(run.Step, sum.Losses / sum.Terms, sum.Terms, outcome.GradientNorm, outcome.RateFactor * run.PeakRate, isEpoch ? run.Evaluate(cancellationToken: CancellationToken.None)?.Loss : null));
            var elapsed = time.GetElapsedTime(began);
            report(new TuningProgress(log.Steps[^1], run.TotalSteps, terms / elapsed.TotalSeconds, elapsed, elapsed / (run.Step - first) * (run.TotalSteps - run.Step)));
            if (time.GetElapsedTime(saved) >= CheckpointEvery || run.Step == run.TotalSteps)
            {
                store.Save(run.Step, run.Save);
                saved = time.GetTimestamp();
            }
        }

        if (run.Step < run.TotalSteps)
        {
            store.Save(run.Step, run.Save);
            return new LocalTuningResult(false, before, null, log.Steps, null);
        }

        return new LocalTuningResult(true, before, run.Evaluate(cancellationToken: cancellationToken), log.Steps, null);
    }
}

/// <summary>How far a run is.</summary>
/// <param name="Last">The step just made.</param>
/// <param name="TermsPerSecond">Learned tokens, since this process began.</param>
/// <param name="Remaining">At the pace so far.</param>
public sealed record TuningProgress(StepRecord Last, long TotalSteps, double TermsPerSecond, TimeSpan Elapsed, TimeSpan Remaining);

/// <summary>What came of a run.</summary>
/// <param name="Complete">False where it was stopped or diverged.</param>
/// <param name="Before">Of the base on the samples held out; null where there are none.</param>
/// <param name="After">Of what was trained.</param>
/// <param name="Steps">All of the run, those of earlier processes included.</param>
/// <param name="Divergence">Not null where a loss or gradient was no number.</param>
public sealed record LocalTuningResult(bool Complete, HeldOutLoss? Before, HeldOutLoss? After, IReadOnlyList<StepRecord> Steps, Divergence? Divergence);

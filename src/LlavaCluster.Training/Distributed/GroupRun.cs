using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// A member's part of a run that a group does together: all begin from one state, sum their gradients at each step and apply the same numbers, so that they stay equal bit for bit. A step
/// that a break of the group interrupts was not applied: the member's state is whole, and the group that comes after goes on from the latest of its members' states.
/// For the run's thread.
/// </summary>
/// <param name="run">This member's; owned by the caller.</param>
/// <param name="group">Likewise.</param>
public sealed class GroupRun(TuningRun run, ITrainingGroup group)
{
    private readonly float[] _numbers = new float[Numbers];

    // What travels beside the gradients: losses, terms, those that want to part, those whose numbers diverge.
    private const int Losses = 0, Terms = 1, Parting = 2, Diverged = 3, Numbers = 4;

    /// <summary>
    /// Gives every member the latest state: of the member that has done most steps, or of a stored state that is ahead of all of them, which the first member looks for.
    /// </summary>
    /// <param name="storedStep">Steps of the latest stored state; 0 for none. The same for every member.</param>
    /// <param name="restore">Called at the first member alone, where the stored state is ahead: restores the latest one it can, ahead of a number of steps, and says whether there was one.</param>
    /// <exception cref="RingBrokenException">The group broke. The member has the state that it had.</exception>
    public void Align(long storedStep, Func<long, bool> restore)
    {
        Span<long> steps = stackalloc long[group.Size];
        group.AllGather([run.Step], steps);
        var latest = Max(steps);
        if (latest < storedStep)
        {
            if (group.Rank == 0)
            {
                restore(latest);
            }

            group.AllGather([run.Step], steps);
            latest = Max(steps);
        }

        if (steps.IndexOfAnyExcept(latest) < 0)
        {
            return;
        }

        var source = steps.IndexOf(latest);
        if (group.Rank == source)
        {
            using var state = new MemoryStream();
            run.Save(state);
            state.Position = 0;
            group.Broadcast(source, state);
        }
        else if (run.Step == latest)
        {
            group.Broadcast(source, Stream.Null);
        }
        else
        {
            using var state = new MemoryStream();
            group.Broadcast(source, state);
            state.Position = 0;
            run.Restore(state); // from memory: it is whole, or was not begun
        }
    }

    /// <summary>One step of all members.</summary>
    /// <param name="wantsToPart">All members learn of it with the step, and of no earlier one.</param>
    /// <param name="betweenMicroBatches">As of <see cref="TuningRun.Accumulate"/>.</param>
    /// <exception cref="RingBrokenException">The group broke; the step was not applied here.</exception>
    public GroupStep Step(bool wantsToPart, Action? betweenMicroBatches = null)
    {
        var step = run.Step;
        var mine = run.Accumulate(step, group.Rank, group.Size, betweenMicroBatches);
        _numbers[Losses] = (float)mine.Losses;
        _numbers[Terms] = mine.Terms;
        _numbers[Parting] = wantsToPart ? 1 : 0;
        _numbers[Diverged] = mine.Divergence is null ? 0 : 1;
        group.Sum(_numbers);
        var terms = (long)_numbers[Terms];
        if (_numbers[Diverged] > 0)
        {
            return new GroupStep(step, double.NaN, terms, 0, 0, true, mine.Divergence ?? new Divergence(step, null, null, "the loss or a gradient of another member is not a finite number"));
        }

        group.Sum(run.Gradients);
        var outcome = run.Apply(terms);
        return new GroupStep(step, _numbers[Losses] / terms, terms, outcome.GradientNorm, outcome.RateFactor, _numbers[Parting] > 0, outcome.Divergence);
    }

    private static long Max(ReadOnlySpan<long> values)
    {
        var most = values[0];
        foreach (var value in values)
        {
            most = Math.Max(most, value);
        }

        return most;
    }
}

/// <summary>What came of a step; the same at every member, but for whose divergence it is.</summary>
/// <param name="Step">From 0.</param>
/// <param name="Loss">Mean over the learned tokens of all members.</param>
/// <param name="Terms">How many these are.</param>
/// <param name="RateFactor">What the learning rates were multiplied with.</param>
/// <param name="Parts">Some member wants to part: this was the group's last step.</param>
/// <param name="Divergence">Not null where a number was not finite; then nothing was changed.</param>
public readonly record struct GroupStep(long Step, double Loss, long Terms, double GradientNorm, double RateFactor, bool Parts, Divergence? Divergence);

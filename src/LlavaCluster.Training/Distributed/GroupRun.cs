using System.Diagnostics;
using System.Globalization;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// A member's part of a run that a group does together. All begin from one state. Then either they sum their gradients at each step and apply the same numbers, so that they stay equal bit for
/// bit; or each takes steps of its own on its share of the samples and they agree once in a while. What a break of the group interrupts did not happen: the member goes back to where
/// all agreed, and the group that comes after goes on from the latest of its members' states. For the run's thread.
/// </summary>
/// <param name="state">This member's; owned by the caller.</param>
/// <param name="group">Likewise.</param>
public sealed class GroupRun(MemberState state, ITrainingGroup group)
{
    // What travels beside the gradients: losses, terms, those that want to part, those whose numbers diverge.
    private const int Losses = 0, Terms = 1, Parting = 2, Diverged = 3, Numbers = 4;

    private readonly TuningRun _run = state.Run;
    private readonly float[] _numbers = new float[Numbers];
    private Divergence? _divergence;
    private double _losses; // since all met
    private long _terms;
    private long _waited;

    /// <summary>
    /// Gives every member the latest state: of the member that has done most steps, or a stored one that is ahead of all of them, which the first member looks for.
    /// </summary>
    /// <param name="storedStep">Steps of the latest stored state; 0 for none. The same for every member.</param>
    /// <param name="restore">Called at the first member alone, where the stored state is ahead: restores the latest one it can, if there is one ahead of this number of steps.</param>
    /// <exception cref="RingBrokenException">The group broke. The member has the state that it had.</exception>
    /// <exception cref="InvalidDataException">The members are not of one run; every one of them gets it.</exception>
    public void Align(long storedStep, Action<long> restore)
    {
        RequireOneRun();
        state.Revert();
        Span<long> steps = stackalloc long[group.Size];
        group.AllGather([state.Step], steps);
        if (Max(steps) < storedStep)
        {
            if (group.Rank == 0)
            {
                restore(Max(steps));
            }

            group.AllGather([state.Step], steps);
        }

        var latest = Max(steps);
        if (steps.IndexOfAnyExcept(latest) < 0)
        {
            return;
        }

        var source = steps.IndexOf(latest);
        var isMissing = state.Step < latest;
        if (!isMissing && group.Rank != source)
        {
            group.Broadcast(source, Stream.Null);
            return;
        }

        // Whole before it is used, so that a break leaves the member what it had.
        using var copy = state.OpenFile();
        if (group.Rank == source)
        {
            state.Save(copy);
            copy.Position = 0;
        }

        group.Broadcast(source, copy);
        if (isMissing)
        {
            copy.Position = 0;
            state.Restore(copy);
        }
    }

    /// <summary>The time spent on the other members since it was asked last.</summary>
    public TimeSpan TakeWaited()
    {
        var waited = Stopwatch.GetElapsedTime(0, _waited);
        _waited = 0;
        return waited;
    }

    /// <summary>One step.</summary>
    /// <param name="wantsToPart">All members learn of it where they agree next.</param>
    /// <param name="betweenMicroBatches">As of <see cref="TuningRun.Accumulate"/>. What it throws has to be followed by another group's <see cref="Align"/>.</param>
    /// <exception cref="RingBrokenException">The group broke.</exception>
    public GroupStep Step(bool wantsToPart, Action? betweenMicroBatches = null)
    {
        var step = _run.Step;
        var agrees = state.AgreesNext;
        var mine = _divergence is null ? _run.Accumulate(step, group.Rank, group.Size, betweenMicroBatches) : default;
        _divergence ??= mine.Divergence;
        (_losses, _terms) = (_losses + mine.Losses, _terms + mine.Terms);
        return state.LocalSteps == 1 ? Together(step, wantsToPart) : Alone(step, mine, agrees, wantsToPart);
    }

    private void RequireOneRun()
    {
        var identity = _run.Identity;
        (string What, string Digest)[] parts = [("recipe", identity.Recipe), ("data", identity.Data), ("model", identity.Model)];
        Span<long> mine = stackalloc long[parts.Length], all = new long[parts.Length * group.Size];
        for (var i = 0; i < parts.Length; i++)
        {
            mine[i] = long.Parse(parts[i].Digest.AsSpan(0, 2 * sizeof(long)), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        group.AllGather(mine, all);
        for (var at = parts.Length; at < all.Length; at++)
        {
            if (all[at] != all[at % parts.Length])
            {
                throw new InvalidDataException($"All members of a group must have the same {parts[at % parts.Length].What}; that of rank {at / parts.Length}, {all[at]:x16}..., is not rank 0's, {all[at % parts.Length]:x16}...");
            }
        }
    }

    private GroupStep Together(long step, bool wantsToPart)
    {
        Tell(wantsToPart);
        var terms = (long)_numbers[Terms];
        if (_numbers[Diverged] > 0)
        {
            return Divergent(step);
        }

        var began = Stopwatch.GetTimestamp();
        group.Sum(_run.Gradients);
        _waited += Stopwatch.GetTimestamp() - began;
        var outcome = _run.Apply(terms);
        state.Agree(group);
        return new GroupStep(step, _numbers[Losses] / terms, terms, outcome.GradientNorm, outcome.RateFactor, true, _numbers[Parting] > 0, outcome.Divergence);
    }

    private GroupStep Alone(long step, Accumulation mine, bool agrees, bool wantsToPart)
    {
        // Who diverges says so where all meet, for the others wait there.
        var outcome = _divergence is null && mine.Terms > 0 ? _run.Apply(mine.Terms) : _run.Skip();
        _divergence ??= outcome.Divergence;
        if (!agrees)
        {
            return new GroupStep(step, 0, 0, outcome.GradientNorm, outcome.RateFactor, false, false, null);
        }

        Tell(wantsToPart);
        if (_numbers[Diverged] > 0)
        {
            return Divergent(step);
        }

        state.Agree(group);
        return new GroupStep(step, _numbers[Losses] / _numbers[Terms], (long)_numbers[Terms], outcome.GradientNorm, outcome.RateFactor, true, _numbers[Parting] > 0, null);
    }

    private void Tell(bool wantsToPart)
    {
        _numbers[Losses] = (float)_losses;
        _numbers[Terms] = _terms;
        (_losses, _terms) = (0, 0);
        _numbers[Parting] = wantsToPart ? 1 : 0;
        _numbers[Diverged] = _divergence is null ? 0 : 1;
        var began = Stopwatch.GetTimestamp();
        group.Sum(_numbers);
        _waited += Stopwatch.GetTimestamp() - began;
    }

    // All name the record, for any of them may be heard first. Whoever diverged looks for it a sample at a time, and says so in between: to try them all may take longer than the others wait.
    private GroupStep Divergent(long step)
    {
        const int Fields = 2;
        using var search = _divergence is { } seen ? _run.Blame(seen).GetEnumerator() : null;
        Span<long> all = stackalloc long[Fields * group.Size];
        var (record, others) = (-1L, true);
        while (others)
        {
            var searches = _divergence is { Record: null } && search!.MoveNext();
            _divergence = searches ? search!.Current ?? _divergence : _divergence;
            group.AllGather([_divergence?.Record ?? -1, searches ? 1 : 0], all);
            others = false;
            for (var at = 0; at < all.Length; at += Fields)
            {
                (record, others) = (Math.Max(record, all[at]), others || all[at + 1] > 0);
            }
        }

        var found = _divergence ?? new Divergence(step, record >= 0 ? (int)record : null, null, "the loss or a gradient is not a finite number");
        return new(step, double.NaN, 0, double.NaN, 0, true, true, found);
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

/// <summary>What came of a step.</summary>
/// <param name="Step">From 0.</param>
/// <param name="Loss">Mean over the learned tokens of all members since they met last; 0 where they do not meet.</param>
/// <param name="Terms">How many these are.</param>
/// <param name="RateFactor">What the learning rates were multiplied with.</param>
/// <param name="Agreed">All members stand at the same state.</param>
/// <param name="Parts">Some member wanted to part: this was the group's last step.</param>
/// <param name="Divergence">Not null where a number was not finite; then the state must not be used.</param>
public readonly record struct GroupStep(long Step, double Loss, long Terms, double GradientNorm, double RateFactor, bool Agreed, bool Parts, Divergence? Divergence);

using System.Runtime.InteropServices;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// What a member of changing groups knows of the common run: its state where all members agreed last. With gradients summed at each step that is simply the run; with steps of each member's own
/// (<see cref="OuterStep"/>) the run is ahead of it in between, and a group that breaks takes it back. The optimiser's moments are each member's own there: whoever gets another's state goes
/// on with that member's. For the run's thread.
/// </summary>
public sealed class MemberState
{
    private readonly TuningRun _run;
    private readonly OuterStep? _outer;
    private readonly MemoryStream _agreed = new();

    /// <param name="run">The caller's.</param>
    /// <param name="localSteps">Steps between two agreements; 1: gradients are summed at each.</param>
    public MemberState(TuningRun run, int localSteps = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(localSteps);
        (_run, LocalSteps) = (run, localSteps);
        if (localSteps > 1)
        {
            _outer = new OuterStep(new OuterStepOptions(), run.Parameters);
            Keep();
        }
    }

    public int LocalSteps { get; }

    public TuningRun Run => _run;

    /// <summary>Steps that all members have agreed on.</summary>
    public long Step { get; private set; }

    /// <summary>Whether the run stands where all agreed.</summary>
    public bool IsAgreed => _run.Step == Step;

    /// <summary>Whether members agree after the step that the run is about to take.</summary>
    public bool AgreesNext => _outer is null || (_run.Step + 1) % LocalSteps == 0 || _run.Step + 1 == _run.TotalSteps;

    /// <summary>Writes the state on which all agreed: of all members the same but for the moments of steps of their own.</summary>
    public void Save(Stream stream)
    {
        if (_outer is not null)
        {
            _agreed.WriteTo(stream);
            return;
        }

        _run.Save(stream);
    }

    /// <summary>Takes over a saved state.</summary>
    /// <exception cref="Model.Weights.CheckpointException">It is damaged or of another run. One that ends early leaves the run unusable.</exception>
    public void Restore(Stream stream)
    {
        if (_outer is not null)
        {
            stream.ReadExactly(MemoryMarshal.AsBytes(_outer.Momentum));
        }

        _run.Restore(stream);
        if (_outer is not null)
        {
            _run.Parameters.CopyTo(_outer.Start);
        }

        Keep();
    }

    /// <summary>The members' steps of their own become one; without any, nothing happens.</summary>
    /// <exception cref="RingBrokenException">Nothing has changed.</exception>
    internal void Agree(ITrainingGroup group)
    {
        _outer?.Apply(_run.Parameters, group);
        Keep();
    }

    /// <summary>Back to where all agreed.</summary>
    internal void Revert()
    {
        if (!IsAgreed)
        {
            Restore(new MemoryStream(_agreed.ToArray()));
        }
    }

    private void Keep()
    {
        Step = _run.Step;
        if (_outer is not null)
        {
            _agreed.SetLength(0);
            _agreed.Write(MemoryMarshal.AsBytes(_outer.Momentum));
            _run.Save(_agreed);
        }
    }
}

using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// What a member of changing groups knows of the common run: its state where all members agreed last. With gradients summed at each step that is simply the run; with steps of each member's own
/// (<see cref="OuterStep"/>) the run is ahead of it in between, and a group that breaks takes it back. The optimiser's moments are each member's own there: whoever gets another's state goes
/// on with that member's. States lie in files, for one may be longer than an array. For the run's thread; owns its files.
/// </summary>
public sealed class MemberState : IDisposable
{
    private const int FileBuffer = 1 << 16;

    private readonly TuningRun _run;
    private readonly OuterStep? _outer;
    private readonly string _folder;
    private readonly FileStream? _agreed;

    /// <param name="run">The caller's.</param>
    /// <param name="localSteps">Steps between two agreements; 1: gradients are summed at each.</param>
    /// <param name="folder">For files that live as long as this, or shorter; null for the system's folder of such.</param>
    public MemberState(TuningRun run, int localSteps = 1, string? folder = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(localSteps);
        (_run, LocalSteps, _folder) = (run, localSteps, folder ?? Path.GetTempPath());
        if (localSteps > 1)
        {
            _outer = new OuterStep(OuterStepOptions.For(run.TotalSteps, localSteps), run.Parameters);
            _agreed = OpenFile();
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
        if (_agreed is null)
        {
            _run.Save(stream);
            return;
        }

        _agreed.Position = 0;
        _agreed.CopyTo(stream);
    }

    /// <summary>Takes over a saved state.</summary>
    /// <exception cref="Model.Weights.CheckpointException">It is damaged or of another run. One that ends early leaves the run unusable.</exception>
    public void Restore(Stream stream)
    {
        if (_outer is not null)
        {
            FloatStream.Fill(stream, _outer.Momentum);
        }

        _run.Restore(stream);
        if (_outer is not null)
        {
            _run.Parameters.CopyTo(_outer.Start);
        }

        Keep();
    }

    public void Dispose() => _agreed?.Dispose();

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
        if (_agreed is not null && !IsAgreed)
        {
            _agreed.Position = 0;
            Restore(_agreed);
        }
    }

    /// <summary>For a state on its way; gone when it is closed.</summary>
    internal FileStream OpenFile() =>
        new(Path.Combine(_folder, $"llava-state-{Guid.NewGuid():n}.tmp"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileBuffer, FileOptions.DeleteOnClose);

    private void Keep()
    {
        Step = _run.Step;
        if (_agreed is not null)
        {
            _agreed.SetLength(0);
            FloatStream.Write(_agreed, _outer!.Momentum);
            _run.Save(_agreed);
        }
    }
}

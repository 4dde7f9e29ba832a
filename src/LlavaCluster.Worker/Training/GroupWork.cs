using LlavaCluster.Abstractions.Training;
using LlavaCluster.Model.Weights;
using LlavaCluster.Storage;
using LlavaCluster.Training.Distributed;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Worker.Training;

/// <summary>A trainer's work in a group: one step after the other, checkpoints on the way, the result at the end. For the trainer's thread.</summary>
internal sealed class GroupWork(MemberState state, TrainerFolder folder, TrainingGate gate, TrainerSurroundings surroundings, TrainingJobSpec spec, TrainerLog log, CancellationToken leave)
{
    private const string State = "state.safetensors", Adapter = "adapter";

    private static readonly TimeSpan CheckpointEvery = TimeSpan.FromMinutes(1); // as TrainingJobSpec.CheckpointEvery says
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(1);

    private readonly TuningRun _run = state.Run;

    /// <summary>To the end of the job, or until the group parts.</summary>
    /// <param name="order">What the job wants of this trainer now.</param>
    /// <param name="called">Cancelled when another group is formed.</param>
    /// <exception cref="RingBrokenException">The group broke.</exception>
    /// <exception cref="OperationCanceledException">It was called away, or the group broke while it computed.</exception>
    public void Run(RingGroup ring, TrainerGroup group, Func<TrainerOrder> order, CancellationToken called)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(called, leave);
        using var part = CancellationTokenSource.CreateLinkedTokenSource(stop.Token, ring.Broken);
        var together = new GroupRun(state, ring);
        together.Align(group.Checkpoints is [var latest, ..] ? latest.Step : 0, least => Restore(group, least));
        var meter = new StepMeter(_run.TotalSteps, _run.StepsPerEpoch, _run.PeakRate, surroundings.Clock);
        var (stored, due) = (surroundings.Clock.GetTimestamp(), false);
        while (_run.Step < _run.TotalSteps)
        {
            var waited = 0.0;
            meter.Begin();
            gate.Begin();
            var step = together.Step(WantsToPart(order()), () =>
            {
                waited += gate.Pass(part.Token.WaitHandle);
                part.Token.ThrowIfCancellationRequested();
            });
            if (step.Divergence is { } divergence)
            {
                log.Enter(TrainerPhase.Failed, group.Generation, $"The training diverged at {divergence}");
                return;
            }

            meter.Add(step, waited + together.TakeWaited().TotalSeconds);
            var isFirst = ring.Rank == 0;
            log.Count(_run.Step, meter.TakeSeconds(), isFirst ? step.Terms : 0, isFirst && step.Agreed && (meter.Elapsed >= ReportEvery || _run.Step == _run.TotalSteps) ? meter.Take() : null);
            var isDue = spec.CheckpointEvery is { } every ? _run.Step % every == 0 : surroundings.Clock.GetElapsedTime(stored) >= CheckpointEvery;
            due |= isDue;
            if (isFirst && step.Agreed && (due || step.Parts) && _run.Step < _run.TotalSteps)
            {
                Store(meter.LastLoss);
                (stored, due) = (surroundings.Clock.GetTimestamp(), false);
            }

            if (step.Parts)
            {
                log.Enter(TrainerPhase.Parted, group.Generation);
                return;
            }
        }

        var began = surroundings.Clock.GetTimestamp();
        var result = ring.Rank == 0 ? MakeResult(stop.Token) : null;
        log.Count(_run.Step, surroundings.Clock.GetElapsedTime(began).TotalSeconds, 0, null);
        log.Finish(group.Generation, result);
    }

    private bool WantsToPart(TrainerOrder order) => order == TrainerOrder.Part || (order == TrainerOrder.PartAtEpochEnd && (state.LocalSteps > 1 || (_run.Step + 1) % _run.StepsPerEpoch == 0));

    /// <summary>Goes on from the latest checkpoint that is whole and ahead of a number of steps.</summary>
    private void Restore(TrainerGroup group, long least)
    {
        foreach (var checkpoint in group.Checkpoints.Where(checkpoint => checkpoint.Step > least))
        {
            if (!folder.TryFetch(checkpoint.Object, State))
            {
                log.Damaged(checkpoint.Object);
                continue;
            }

            using var stored = File.OpenRead(folder.File(State));
            state.Restore(stored);
            return;
        }
    }

    /// <summary>A checkpoint that cannot be stored now is told; the training goes on, and those before it stand.</summary>
    private void Store(double loss)
    {
        try
        {
            using (var file = File.Create(folder.File(State)))
            {
                state.Save(file);
            }

            var stored = folder.Store(State);
            if (stored.Fault is { } fault)
            {
                log.Enter(TrainerPhase.Training, log.Generation, $"the checkpoint of step {_run.Step} was not stored: {(fault == StorageFault.Full ? "the store is full" : "the store does not answer")}");
                return;
            }

            log.Stored(new TrainingCheckpoint(_run.Step, stored.Id, stored.Bytes, surroundings.Clock.GetUtcNow(), loss));
        }
        catch (IOException fault)
        {
            log.Enter(TrainerPhase.Training, log.Generation, $"the checkpoint of step {_run.Step} was not stored: {fault.Message}");
        }
    }

    private TrainingResult MakeResult(CancellationToken stop)
    {
        gate.Begin();
        void Pass() => gate.Pass(stop.WaitHandle);
        var (before, after) = (_run.Evaluate(ofBase: true, Pass, stop)?.Loss ?? double.NaN, _run.Evaluate(ofBase: false, Pass, stop)?.Loss ?? double.NaN);
        _run.Export(folder.File(Adapter));
        AdapterFile.Pack(folder.File(Adapter), folder.File(Adapter + ".safetensors"));
        var stored = folder.Store(Adapter + ".safetensors");
        return stored.Fault is { } fault
            ? throw new IOException($"The adapter cannot be stored: {fault}.")
            : new TrainingResult(stored.Id, stored.Bytes, before, after);
    }
}

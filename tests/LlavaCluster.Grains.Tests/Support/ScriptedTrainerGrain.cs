using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Hosting.Placement;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A trainer's grain over the one that the test registered for its device.</summary>
[WorkerPlacement]
internal sealed class ScriptedTrainerGrain(ScriptedDevices devices) : Grain, ITrainerGrain
{
    private ScriptedTrainer Trainer => devices.Trainer(this.GetPrimaryKeyString());

    public Task<string?> JoinAsync(TrainerAssignment assignment, CancellationToken cancellationToken) => Task.FromResult(Trainer.Join(assignment));

    public Task<bool> TrainAsync(TrainingJobKey job, TrainerGroup group, CancellationToken cancellationToken) => Task.FromResult(Trainer.Train(job, group));

    public Task LeaveAsync(TrainingJobKey job, CancellationToken cancellationToken)
    {
        Trainer.Leave(job);
        return Task.CompletedTask;
    }
}

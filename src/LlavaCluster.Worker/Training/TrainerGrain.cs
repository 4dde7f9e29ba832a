using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Hosting.Placement;
using Orleans;
using Orleans.Placement;

namespace LlavaCluster.Worker.Training;

/// <summary>The trainer of this silo's device, as the cluster calls it.</summary>
[WorkerPlacement, Immovable]
internal sealed class TrainerGrain(Trainer trainer) : Grain, ITrainerGrain
{
    public Task<string?> JoinAsync(TrainerAssignment assignment, CancellationToken cancellationToken) => Task.FromResult(trainer.Join(assignment));

    public Task<bool> TrainAsync(TrainingJobKey job, TrainerGroup group, CancellationToken cancellationToken) => Task.FromResult(trainer.Train(job, group));

    public Task LeaveAsync(TrainingJobKey job, CancellationToken cancellationToken)
    {
        trainer.Leave(job);
        return Task.CompletedTask;
    }
}

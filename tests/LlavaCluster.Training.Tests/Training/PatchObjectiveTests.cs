using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Replicas;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class PatchObjectiveTests
{
    [Fact]
    public void Loss_AfterTraining_TellsClassesPlacesAndMiddles()
    {
        using var group = new ReplicaGroup<PatchBatch>(
            weights => new PatchObjective(TinyModel.Config, weights, 3, autocast: false), new WeightInitializer(TinyModel.Config, 3, CPU), 1, _ => true);
        using var optimiser = new FusedAdamW([new ParameterGroup(group.Trained, 1e-2, 0)], new AdamWOptions());
        var batch = PatchBatches.Random();
        for (var step = 0; step < 300; step++)
        {
            group.Backward([batch]);
            optimiser.Step(1);
        }

        // Each part alone would be above this: a wrong class costs ln 3, a wrong middle ln 2, places at their mean 20 times their variance.
        Assert.InRange(group.Backward([batch]), 0, 0.05);
    }

    [Fact]
    public void Loss_OfPlaces_CountsOnlyWhatIsCovered()
    {
        using var scope = NewDisposeScope();
        using var objective = new PatchObjective(TinyModel.Config, new WeightInitializer(TinyModel.Config, 3, CPU), 3, autocast: false);
        var batch = PatchBatches.Random();
        var loss = objective.Loss(batch).item<float>();

        Assert.NotEqual(loss, objective.Loss(With(batch, 1)).item<float>());
        Assert.Equal(loss, objective.Loss(With(batch, 0)).item<float>());
    }

    private static PatchBatch With(PatchBatch batch, int moved)
    {
        var patches = batch.Patches.ToArray();
        patches[moved] = patches[moved] with { X = 0.9f, Size = 0.9f };
        return batch with { Patches = patches };
    }
}

using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Replicas;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class WordAlignmentTests
{
    private static readonly PatchWords Words = TinyModel.Words;

    [Fact]
    public void Loss_AfterTraining_DrawsEveryPatchToItsWordsAndChangesOnlyTheProjector()
    {
        using var group = new ReplicaGroup<PatchBatch>(weights => new WordAlignmentObjective(TinyModel.Config, weights, Words, autocast: false),
            new WeightInitializer(TinyModel.Config, 3, CPU), 1, name => name.StartsWith("multi_modal_projector.", StringComparison.Ordinal));
        using var optimiser = new FusedAdamW([new ParameterGroup(group.Trained, 1e-2, 0)], new AdamWOptions());
        using var scope = NewDisposeScope();
        var before = group.First.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.detach().clone());
        var batch = PatchBatches.Random();
        for (var step = 0; step < 300; step++)
        {
            group.Backward([batch]);
            optimiser.Step(1);
        }

        Assert.InRange(group.Backward([batch]), 0, 0.05);
        Assert.All(group.First.Parameters, parameter => Assert.Equal(
            !parameter.Name.StartsWith("multi_modal_projector.", StringComparison.Ordinal), parameter.Value.eq(before[parameter.Name]).all().item<bool>()));
    }

    [Fact]
    public void Terms_ArePatches() => Assert.Equal(PatchBatches.Patches, Terms(PatchBatches.Random()));

    private static long Terms(PatchBatch batch)
    {
        using var objective = new WordAlignmentObjective(TinyModel.Config, new WeightInitializer(TinyModel.Config, 3, CPU), Words, autocast: false);
        return objective.Terms(batch);
    }
}

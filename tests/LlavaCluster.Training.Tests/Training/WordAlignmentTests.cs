using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Optimisation;
using LlavaCluster.Training.Replicas;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class WordAlignmentTests
{
    private const int Patches = 4;
    private const int Pixels = 3 * 8 * 8;

    // Background, a name of one token and a name of two.
    private static readonly IReadOnlyList<IReadOnlyList<int>> Names = [[5], [9], [12, 17]];

    [Fact]
    public void Loss_AfterTraining_DrawsEveryPatchToItsWordAndChangesOnlyTheProjector()
    {
        using var group = new ReplicaGroup<PatchBatch>(weights => new WordAlignmentObjective(TinyModel.Config, weights, Names, autocast: false),
            new WeightInitializer(TinyModel.Config, 3, CPU), 1, name => name.StartsWith("multi_modal_projector.", StringComparison.Ordinal));
        using var optimiser = new FusedAdamW([new ParameterGroup(group.Trained, 1e-2, 0)], new AdamWOptions());
        using var scope = NewDisposeScope();
        var before = group.First.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.detach().clone());
        var batch = Batch();
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
    public void Terms_ArePatches() => Assert.Equal(2 * Patches, Terms(Batch()));

    private static long Terms(PatchBatch batch)
    {
        using var objective = new WordAlignmentObjective(TinyModel.Config, new WeightInitializer(TinyModel.Config, 3, CPU), Names, autocast: false);
        return objective.Terms(batch);
    }

    private static PatchBatch Batch()
    {
        var random = new Random(1);
        return new PatchBatch(2, [.. Enumerable.Range(0, 2 * Pixels).Select(_ => random.NextSingle() - 0.5f)], [0, 1, 2, 0, 2, 1, 0, 0]);
    }
}

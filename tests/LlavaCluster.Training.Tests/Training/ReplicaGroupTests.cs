using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Replicas;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class ReplicaGroupTests
{
    [Fact]
    public void Backward_OverTwoReplicas_EqualsOneReplicaOverAllSamples()
    {
        using var scope = NewDisposeScope();
        set_num_threads(1);
        using var one = Group(1);
        using var two = Group(2);

        var loss = one.Backward([TinyModel.Batch(0, 8)]);
        var split = two.Backward([TinyModel.Batch(0, 4), TinyModel.Batch(4, 4)]);

        Assert.Equal(loss, split, 1e-6);
        Assert.All(one.Trained.Zip(two.Trained), pair =>
        {
            var (whole, halves) = (pair.First.Value.grad!, pair.Second.Value.grad!);
            Assert.True((whole - halves).abs().max().item<float>() < 1e-5 * Math.Max(1, whole.abs().max().item<float>()), pair.First.Name);
        });
    }

    [Fact]
    public void Backward_WithAnotherNumberOfBatches_NamesBothNumbers()
    {
        using var scope = NewDisposeScope();
        using var group = Group(2);

        var refused = Assert.Throws<ArgumentException>(() => group.Backward([TinyModel.Batch(0, 1)]));

        Assert.Contains("must be 2 batches, one a replica; there were 1", refused.Message, StringComparison.Ordinal);
    }

    private static ReplicaGroup<TokenBatch> Group(int replicas) =>
        new(source => new NextTokenObjective(TinyModel.Config, source, autocast: false), new WeightInitializer(TinyModel.Config, 5, CPU), replicas, _ => true);
}

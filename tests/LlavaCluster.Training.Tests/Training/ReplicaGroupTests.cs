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
        AssertSameGradients(one, two);
    }

    [Fact]
    public void Backward_OfSamplesThatShareAPicture_EqualsThatOfCopies()
    {
        using var scope = NewDisposeScope();
        using var sharing = Group(1);
        using var copying = Group(1);
        var (first, second, other) = (TinyModel.Sample(1), TinyModel.Sample(2), TinyModel.Sample(3));

        var shared = sharing.Backward([TinyModel.Batch([first, other, second with { PictureValues = first.PictureValues }])]);
        var copied = copying.Backward([TinyModel.Batch([first, other, second with { PictureValues = [.. first.PictureValues] }])]);

        Assert.Equal(copied, shared, 1e-6);
        AssertSameGradients(copying, sharing);
    }

    [Fact]
    public void Backward_WithAnotherNumberOfBatches_NamesBothNumbers()
    {
        using var scope = NewDisposeScope();
        using var group = Group(2);

        var refused = Assert.Throws<ArgumentException>(() => group.Backward([TinyModel.Batch(0, 1)]));

        Assert.Contains("must be 2 batches, one a replica; there were 1", refused.Message, StringComparison.Ordinal);
    }

    private static void AssertSameGradients(ReplicaGroup<TokenBatch> expected, ReplicaGroup<TokenBatch> actual) =>
        Assert.All(expected.Trained.Zip(actual.Trained), pair =>
        {
            var (wanted, got) = (pair.First.Value.grad!, pair.Second.Value.grad!);
            Assert.True((wanted - got).abs().max().item<float>() < 1e-5 * Math.Max(1, wanted.abs().max().item<float>()), pair.First.Name);
        });

    private static ReplicaGroup<TokenBatch> Group(int replicas) =>
        new(source => new NextTokenObjective(TinyModel.Config, source, autocast: false), new WeightInitializer(TinyModel.Config, 5, CPU), replicas, _ => true);
}

using LlavaCluster.Training.Data;
using LlavaCluster.Training.Optimisation;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class OptimisationTests
{
    [Theory]
    [InlineData(0, 0.25)]
    [InlineData(3, 1.0)]
    [InlineData(4, 1.0)]
    [InlineData(9, 0.55)]
    [InlineData(14, 0.1)]
    [InlineData(99, 0.1)]
    public void At_RisesLinearlyAndFallsAsAHalfCosine(long step, double expected) =>
        Assert.Equal(expected, new LearningRateSchedule(14, 4, 0.1).At(step), 1e-12);

    [Fact]
    public void Step_WithClipping_ReturnsTheNormAndScalesTheGradients()
    {
        using var scope = NewDisposeScope();
        var value = tensor(new float[] { 0, 0 });
        using var optimiser = new FusedAdamW([new ParameterGroup([("x", value)], 0.1, 0)], new AdamWOptions { ClipNorm = 1, Beta1 = 0, Beta2 = 0, Epsilon = 1 });
        (value * tensor(new float[] { 3, 4 })).sum().backward();

        var norm = optimiser.Step(1);

        // With both betas zero a step is lr * g / (|g| + 1), and g is clipped to (0.6, 0.8).
        Assert.Equal(5, norm!.Value, 1e-5);
        Assert.Equal(-0.1 * 0.6 / 1.6, value[0].item<float>(), 1e-6);
        Assert.Equal(-0.1 * 0.8 / 1.8, value[1].item<float>(), 1e-6);
        Assert.Equal(0, value.grad!.abs().sum().item<float>());
    }

    [Fact]
    public void Step_OfAParameterOutsideTheLoss_NamesIt()
    {
        using var scope = NewDisposeScope();
        using var optimiser = new FusedAdamW([new ParameterGroup([("lonely", zeros(2))], 0.1, 0)], new AdamWOptions());

        var refused = Assert.Throws<InvalidOperationException>(() => optimiser.Step(1));

        Assert.Contains("'lonely' got no gradient", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Next_HandsItemsOutInOrderWhateverOrderTheyFinishIn()
    {
        using var first = new ManualResetEventSlim();
        using var items = new OrderedPrefetcher<long>(
            index =>
            {
                if (index == 7)
                {
                    first.Wait(TestContext.Current.CancellationToken);
                }
                else
                {
                    first.Set(); // item 8 finishes before item 7
                }

                return index;
            },
            first: 7, ahead: 3);

        Assert.Equal([7, 8, 9, 10], [items.Next(), items.Next(), items.Next(), items.Next()]);
    }
}

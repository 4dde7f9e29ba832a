using LlavaCluster.Model;
using LlavaCluster.Training.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class PatchWordsTests
{
    private const int Nothing = 0, Dog = 1, Left = 3, Right = 4, Top = 5, Bottom = 6, Center = 7, Smallest = 8, Largest = 9, Object = 10, Picture = 11;

    [Fact]
    public void Weigh_OfBackground_SaysThatNothingIsThere() => Assert.Equal([Nothing, Picture], Said(default));

    [Fact]
    public void Weigh_OfAnObjectInACorner_SaysItsNameAndBothSidesOfTheCorner()
    {
        var weights = Weigh(new ScenePatch(1, 0.1f, 0.9f, 0.5f, Middle: 0));

        Assert.Equal(1, weights[Dog]);
        Assert.Equal(1 + 0.6f, weights[Left], 5); // the ninth, and the line
        Assert.Equal(-0.6f, weights[Right], 5);
        Assert.Equal(-0.6f, weights[Top], 5);
        Assert.Equal(1 + 0.6f, weights[Bottom], 5);
        Assert.Equal(0, weights[Center], 5);
        Assert.Equal(0.5f, weights[Largest], 5);
        Assert.Equal(-0.5f, weights[Smallest], 5);
        Assert.Equal(0, weights[Object]);
    }

    [Fact]
    public void Weigh_OfAnObjectsMiddleInTheCenter_SaysCenterAndObject() =>
        Assert.Equal([Dog, Center, Object, Picture], Said(new ScenePatch(1, 0.5f, 0.5f, 0.35f, Middle: 1)));

    [Fact]
    public void Weigh_OnTheBorderOfTwoNinths_SaysHalfOfEach()
    {
        var weights = Weigh(new ScenePatch(1, 1f / 3, 0.5f, 0.35f, Middle: 0));

        Assert.Equal(0.5f, weights[Center], 5);
        Assert.Equal(0.5f + 0.25f, weights[Left], 5);
    }

    [Fact]
    public void Embeddings_OfAWordOfSeveralTokens_AreTheirMean()
    {
        using var scope = NewDisposeScope();
        using var network = new LlavaNetwork(TinyModel.Config, new WeightInitializer(TinyModel.Config, 3, CPU), ScalarType.Float32, CPU);

        var embeddings = TinyModel.Words.Embeddings(network);

        Assert.Equal([TinyModel.Words.Count, TinyModel.Config.Text.Hidden], embeddings.shape);
        Assert.True(embeddings[2].allclose(network.Embed(tensor(new[] { 12L, 17L })).mean([0]), atol: 1e-6));
        Assert.True(embeddings[Left].allclose(network.Embed(tensor(new[] { 20L }))[0], atol: 1e-6));
    }

    private static float[] Weigh(ScenePatch patch) => TinyModel.Words.Weigh([patch]);

    private static List<int> Said(ScenePatch patch) => [.. Weigh(patch).Index().Where(weight => Math.Abs(weight.Item) > 1e-6).Select(weight => weight.Index)];
}

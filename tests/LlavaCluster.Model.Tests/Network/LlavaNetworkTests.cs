using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Network;

public sealed class LlavaNetworkTests
{
    private static readonly LlavaConfig Config = new()
    {
        Family = ModelFamily.LlavaNext,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 3, Heads = 2, ImageSize = 8, PatchSize = 4 },
        Text = new TextConfig { VocabSize = 32, Hidden = 12, Intermediate = 20, Layers = 2, Heads = 3, KvHeads = 1, HeadDim = 8, MaxPositions = 64 },
        Projector = new ProjectorConfig(2),
        ImageTokenId = 31,
        FeatureLayers = [1, 2],
        FeatureSelect = FeatureSelect.Patch,
    };

    [Fact]
    public void StateNames_AreTheCanonicalNamesTakenFromTheSource()
    {
        using var scope = NewDisposeScope();
        var weights = new RandomWeights(1);
        using var network = new LlavaNetwork(Config, weights, ScalarType.Float32, CPU);

        var state = network.state_dict().ToDictionary(p => p.Key, p => p.Value.shape);

        Assert.Equal(weights.Taken.Keys.Order(StringComparer.Ordinal), state.Keys.Order(StringComparer.Ordinal));
        Assert.All(weights.Taken, taken => Assert.Equal(taken.Value, state[taken.Key]));
        Assert.DoesNotContain(state.Keys, name => name.Contains("layers.2", StringComparison.Ordinal));
    }

    [Fact]
    public void Forward_OfARowInABatch_EqualsTheRowAlone()
    {
        using var scope = NewDisposeScope();
        using var network = new LlavaNetwork(Config, new RandomWeights(2), ScalarType.Float32, CPU);
        using var inference = inference_mode();
        var first = network.Embed(tensor(new long[] { 1, 5, 9, 4 }));
        var second = network.Embed(tensor(new long[] { 7, 7, 2, 3 }));
        var positions = arange(4, dtype: ScalarType.Int64);

        var alone = network.Forward(second, positions, new DenseAttention(1, 4));
        var together = network.Forward(cat([first, second], 0), positions.repeat(2), new DenseAttention(2, 4));

        Assert.True(allclose(alone, together.narrow(0, 4, 4), rtol: 0, atol: 1e-6));
    }

    /// <summary>So thin a picture that no row or no column of its grid is more than half picture: only the overview, or only newlines, remain.</summary>
    [Theory]
    [InlineData(1, 8192, 4)]
    [InlineData(8192, 1, 6)]
    public void PackTiles_OfTheThinnestPictures_GivesTheLayoutsTokens(int height, int width, int tokens)
    {
        using var scope = NewDisposeScope();
        var config = Config with { GridPinpoints = [(8, 16), (16, 8)] };
        using var network = new LlavaNetwork(config, new RandomWeights(4), ScalarType.Float32, CPU);
        var layout = AnyresGrid.Layout(config, height, width);

        var packed = network.PackTiles(zeros(layout.Tiles, config.TokensPerTile, config.Text.Hidden), layout);

        Assert.Equal([tokens, config.Text.Hidden], packed.shape);
        Assert.Equal(tokens, layout.Tokens(config.TokensPerTile));
    }

    [Fact]
    public void Backward_ReachesOnlyUnfrozenParameters()
    {
        using var scope = NewDisposeScope();
        using var network = new LlavaNetwork(Config, new RandomWeights(3), ScalarType.Float32, CPU);
        foreach (var (name, parameter) in network.named_parameters())
        {
            parameter.requires_grad = name.StartsWith("multi_modal_projector.", StringComparison.Ordinal);
        }

        var features = network.EncodeTiles(randn(1, 3, 8, 8)).view(-1, Config.Text.Hidden);
        var hidden = network.Forward(features, arange(4, dtype: ScalarType.Int64), new DenseAttention(1, 4));
        network.Logits(hidden).square().mean().backward();

        Assert.All(network.named_parameters(), p =>
            Assert.Equal(p.name.StartsWith("multi_modal_projector.", StringComparison.Ordinal), p.parameter.grad is not null));
    }

    [Theory]
    [InlineData(1, 2, 0, 2, 1, 3, 4 + (2 * 3))]
    [InlineData(2, 1, 1, 3, 0, 2, 4 + (2 * 3))]
    public void PackTiles_KeepsTheUnpaddedMapRowByRowWithANewlineAfterEach(int rows, int columns, int top, int bottom, int left, int right, int tokens)
    {
        using var scope = NewDisposeScope();
        using var network = new LlavaNetwork(Config, new RandomWeights(4), ScalarType.Float32, CPU);
        var layout = new TileLayout(rows, columns, top, bottom, left, right);
        var tiles = arange(3 * 4, dtype: ScalarType.Float32).view(3, 4, 1).expand(3, 4, 12); // feature value = tile * 4 + patch

        var packed = network.PackTiles(tiles, layout);

        Assert.Equal(tokens, layout.Tokens(Config.TokensPerTile));
        Assert.Equal([tokens, 12], packed.shape);
        Assert.Equal([0f, 1, 2, 3], packed.narrow(0, 0, 4).select(1, 0).data<float>().ToArray());
        var expected = rows == 1 ? new[] { 5f, 8, 7, 10 } : [6f, 7, 8, 9];
        var map = packed.narrow(0, 4, tokens - 4).view(2, 3, 12);
        Assert.Equal(expected, map.narrow(1, 0, 2).select(2, 0).reshape(-1).data<float>().ToArray());
        Assert.True(allclose(map.select(1, 2), network.state_dict()["image_newline"].expand(2, 12), rtol: 0, atol: 0));
    }

    [Fact]
    public void Everything_LeavesNoTensorBehind()
    {
        DisposeScopeManager.Statistics.Reset();
        using (NewDisposeScope())
        {
            using var network = new LlavaNetwork(Config, new RandomWeights(5), ScalarType.Float32, CPU);
            using var inference = inference_mode();
            var features = network.EncodeTiles(randn(1, 3, 8, 8)).view(-1, Config.Text.Hidden);
            network.Logits(network.Forward(features, arange(4, dtype: ScalarType.Int64), new DenseAttention(1, 4)));
        }

        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}

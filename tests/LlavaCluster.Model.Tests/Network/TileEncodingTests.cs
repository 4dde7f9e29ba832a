using LlavaCluster.Model.Config;
using LlavaCluster.Model.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Network;

public sealed class TileEncodingTests
{
    private static readonly LlavaConfig Config = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 5, Heads = 2, ImageSize = 8, PatchSize = 4 },
        Text = new TextConfig { VocabSize = 32, Hidden = 12, Intermediate = 20, Layers = 1, Heads = 3, KvHeads = 1, HeadDim = 8, MaxPositions = 64 },
        Projector = new ProjectorConfig(2),
        ImageTokenId = 31,
        FeatureLayers = [4],
        FeatureSelect = FeatureSelect.Patch,
    };

    [Theory]
    [InlineData(FeatureSelect.Patch, new[] { 4 })]
    [InlineData(FeatureSelect.Full, new[] { 4 })]
    [InlineData(FeatureSelect.Full, new[] { 0, 2, 4 })]
    [InlineData(FeatureSelect.Patch, new[] { 3, 1 })]
    [InlineData(FeatureSelect.Full, new[] { 0 })] // no block runs
    public void Advance_InWhateverSteps_GivesTheNumbersOfTheWholeAndLeavesNothing(FeatureSelect select, int[] layers)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var network = new LlavaNetwork(Config with { FeatureSelect = select, FeatureLayers = layers }, new RandomWeights(7), ScalarType.Float32, CPU);
        using var encoder = new TorchTileEncoder(network);
        var pixels = randn(2, 3, 8, 8);
        var whole = network.EncodeTiles(pixels);

        for (var stages = 1; stages <= encoder.Stages; stages++)
        {
            var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            using (NewDisposeScope())
            {
                using var encoding = InScopeOfItsOwn(() => encoder.Begin(pixels));
                for (var done = 0; done < encoder.Stages; done += stages)
                {
                    using var step = NewDisposeScope();
                    encoding.Advance(stages);
                }

                Assert.True(allclose(whole, encoding.Finish(), rtol: 0, atol: 0), $"{stages} stages at once");
            }

            Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
    }

    [Fact]
    public void Dispose_InTheMiddle_LeavesNothing()
    {
        using var scope = NewDisposeScope();
        using var network = new LlavaNetwork(Config with { FeatureLayers = [1, 4] }, new RandomWeights(7), ScalarType.Float32, CPU);
        using var encoder = new TorchTileEncoder(network);
        var pixels = randn(1, 3, 8, 8);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        using (var encoding = InScopeOfItsOwn(() => encoder.Begin(pixels)))
        {
            encoding.Advance(2);
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    // As a step of an engine has one: what is to outlive it must not belong to it.
    private static ITileEncoding InScopeOfItsOwn(Func<ITileEncoding> begin)
    {
        using var scope = NewDisposeScope();
        return begin();
    }
}

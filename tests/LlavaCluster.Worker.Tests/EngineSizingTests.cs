using LlavaCluster.Model.Config;
using LlavaCluster.Worker.Serving;
using static TorchSharp.torch;

namespace LlavaCluster.Worker.Tests;

public sealed class EngineSizingTests
{
    private static readonly LlavaConfig Vicuna7 = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 1024, Intermediate = 4096, Layers = 24, Heads = 16, ImageSize = 336, PatchSize = 14 },
        Text = new TextConfig { MaxPositions = 4096 },
        Projector = new ProjectorConfig(2),
        ImageTokenId = 31999,
        FeatureLayers = [23],
        FeatureSelect = FeatureSelect.Patch,
    };

    [Fact]
    public void For_WhenTheMemoryHoldsLessThanOneContext_KeepsOneContext()
    {
        var options = EngineSizing.For(Vicuna7, ScalarType.BFloat16, 7_000_000_000, kvBytes: 1 << 20, maxImageTokens: 576, EngineSizing.OfCpu(2, machineCode: true));

        Assert.Equal((4096 / 16) + 8, options.KvBlocks);
        Assert.Null(options.Validate());
    }

    [Theory]
    [InlineData(8_000_000, 2, 512)] // the shipped model: the default
    [InlineData(7_000_000_000, 2, 128)] // a small machine under a large model: the least
    [InlineData(7_000_000_000, 16, 457)] // 4 s * 16 threads * 100 GFLOP/s / (2 * 7 G)
    public void For_SizesAStepByTheModelAndTheThreads(long parameters, int threads, int expected)
    {
        var options = EngineSizing.For(Vicuna7, ScalarType.BFloat16, parameters, 1 << 30, 576, EngineSizing.OfCpu(threads, machineCode: true));

        Assert.Equal(expected, options.MaxTokensPerStep);
        Assert.Null(options.Validate());
    }

    [Fact]
    public void For_WeighsAPictureTokenByTheLayersItPasses()
    {
        var options = EngineSizing.For(Vicuna7, ScalarType.BFloat16, 7_000_000_000, 1 << 30, 576, EngineSizing.OfCpu(2, machineCode: true));

        Assert.Equal(302.0 / 6476, options.ImageTokenCost, tolerance: 1e-4); // millions of weights in the layers of CLIP-L and of a 7B model
    }

    [Fact]
    public void For_WhenOneContextIsMoreThanTheMostBlocks_StillKeepsIt()
    {
        var long7 = Vicuna7 with { Text = Vicuna7.Text with { MaxPositions = 1 << 20 } };

        var options = EngineSizing.For(long7, ScalarType.BFloat16, 7_000_000_000, kvBytes: 1 << 20, maxImageTokens: 576, EngineSizing.OfCpu(2, machineCode: true));

        Assert.Equal((1 << 16) + 8, options.KvBlocks);
    }

    [Theory]
    [InlineData(8_000_000, 16, true, 30)] // the default
    [InlineData(7_000_000_000, 2, true, 4 * 12)] // 128 tokens * 14 GFLOP and 1152 of pictures * 0.6 GFLOP at 200 GFLOP/s take 12 s
    [InlineData(7_000_000_000, 2, false, 4 * 124)] // a tenth of the speed
    public void For_GivesAStepSeveralTimesTheTimeItShouldTake(long parameters, int threads, bool machineCode, double seconds)
    {
        var options = EngineSizing.For(Vicuna7, ScalarType.BFloat16, parameters, 1 << 30, 576, EngineSizing.OfCpu(threads, machineCode));

        Assert.Equal(seconds, options.StepTimeout.TotalSeconds, tolerance: 4);
    }
}

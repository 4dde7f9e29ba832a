using LlavaCluster.Model.Config;
using LlavaCluster.Worker.Serving;
using static TorchSharp.torch;

namespace LlavaCluster.Worker.Tests;

public sealed class EngineSizingTests
{
    private static readonly TextConfig Vicuna7 = new() { MaxPositions = 4096 };

    [Fact]
    public void For_WhenTheMemoryHoldsLessThanOneContext_KeepsOneContext()
    {
        var options = EngineSizing.For(Vicuna7, ScalarType.BFloat16, 7_000_000_000, kvBytes: 1 << 20, maxImageTokens: 576, threads: 2);

        Assert.Equal((4096 / 16) + 8, options.KvBlocks);
        Assert.Null(options.Validate());
    }

    [Theory]
    [InlineData(8_000_000, 2, 512)] // the shipped model: the default
    [InlineData(7_000_000_000, 2, 128)] // a small machine under a large model: the least
    [InlineData(7_000_000_000, 16, 457)] // 4 s * 16 threads * 100 GFLOP/s / (2 * 7 G)
    public void For_SizesAStepByTheModelAndTheThreads(long parameters, int threads, int expected)
    {
        var options = EngineSizing.For(Vicuna7, ScalarType.BFloat16, parameters, 1 << 30, 576, threads);

        Assert.Equal(expected, options.MaxTokensPerStep);
        Assert.Null(options.Validate());
    }
}

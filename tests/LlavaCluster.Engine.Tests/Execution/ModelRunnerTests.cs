using LlavaCluster.Engine.Execution;
using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Vision;
using LlavaCluster.TestSupport;
using TorchSharp;

namespace LlavaCluster.Engine.Tests.Execution;

public sealed class ModelRunnerTests
{
    // A probe that threw on a good device would turn one poisoned request into the loss of the engine.
    [Theory]
    [InlineData("a_llava15", torch.ScalarType.Float32)]
    [InlineData("b_llava_gqa_bf16", torch.ScalarType.BFloat16)]
    public void Probe_OnAWorkingDevice_ReturnsAndLeavesNothing(string checkpoint, torch.ScalarType dtype)
    {
        using var model = LlavaModel.Load(Goldens.Path(checkpoint), dtype: dtype);
        using var runner = new ModelRunner(model.Network, new EngineOptions { BlockSize = 4, KvBlocks = 4 }, TokenBans.None);
        using var scope = torch.NewDisposeScope();

        runner.Probe();

        Assert.Equal(0, scope.DisposablesCount);
    }

    [Fact]
    public void Create_WhenNoDecoderFits_LeavesNothing()
    {
        using var model = LlavaModel.Load(Goldens.Path("a_llava15"));
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        Assert.Throws<NotSupportedException>(() => new ModelRunner(model.Network, new EngineOptions { BlockSize = 4, KvBlocks = 4, Weights = WeightFormat.Q8 }, TokenBans.None));

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Encode_WhenAProjectorGivesFeaturesOfAnotherWidth_IsRefused()
    {
        var config = LlavaConfigReader.Read(Goldens.Path("a_llava15")) with { Projector = new ProjectorConfig(0) };
        using var network = new LlavaNetwork(config, new Zeros(), torch.ScalarType.Float32, torch.CPU);
        using var runner = new ModelRunner(network, new EngineOptions { BlockSize = 4, KvBlocks = 4 }, TokenBans.None);
        var image = new PromptImage { Digest = ContentDigest.Of("1"u8), Preprocessing = ContentDigest.Of("2"u8), Layout = TileLayout.Single, Tokens = 16, LoadPixels = _ => throw new InvalidOperationException() };

        var fault = Assert.Throws<InvalidDataException>(() => runner.Encode([new ImageWork(0, image, new float[3 * 56 * 56])]));

        Assert.Equal("An image has 16 features of 64 numbers; its prompt has room for 16 of 96.", fault.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EncodePart_InParts_StoresWhatEncodeDoesAndLeavesNothing(bool dropped)
    {
        using var model = LlavaModel.Load(Goldens.Path("c_llava_next"));
        var layout = AnyresGrid.Layout(model.Config, 60, 90);
        var size = model.Config.Vision.ImageSize;
        var pixels = Enumerable.Range(0, layout.Tiles * 3 * size * size).Select(i => (i % 251 / 125f) - 1).ToArray();
        var image = new PromptImage { Digest = ContentDigest.Of("1"u8), Preprocessing = ContentDigest.Of("2"u8), Layout = layout, Tokens = layout.Tokens(model.Config.TokensPerTile), LoadPixels = _ => throw new InvalidOperationException() };
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var runner = new ModelRunner(model.Network, new EngineOptions { BlockSize = 4, KvBlocks = 4 }, TokenBans.None))
        {
            Assert.True(runner.EncodingStages > 1);
            runner.EncodePart(new ImageWork(0, image, pixels), 0, 1);
            if (dropped)
            {
                runner.DropImages([0]);
                runner.EncodePart(new ImageWork(1, image, pixels), 0, 1);
            }

            runner.EncodePart(new ImageWork(dropped ? 1 : 0, image, pixels), 1, runner.EncodingStages - 1);
            runner.Encode([new ImageWork(2, image, pixels)]);
            Assert.True(torch.allclose(runner.FeaturesOf(2), runner.FeaturesOf(dropped ? 1 : 0), rtol: 0, atol: 0));
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private sealed class Zeros : IWeightSource
    {
        public torch.Tensor Take(string name, params long[] shape) => torch.zeros(shape);
    }
}

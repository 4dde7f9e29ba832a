using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Encoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Tests.Network;
using LlavaCluster.Model.Vision;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Encoding;

/// <summary>Our tower beside libtorch's; on a processor without machine code with the portable products.</summary>
public sealed class CpuTileEncoderTests : IDisposable
{
    private const int Side = 40; // 5 x 5 patches and the class token: no multiple of a block or a tile

    private static readonly LlavaConfig Config = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 64, Intermediate = 160, Layers = 4, Heads = 2, ImageSize = Side, PatchSize = 8 },
        Text = new TextConfig { VocabSize = 32, Hidden = 96, Intermediate = 64, Layers = 1, Heads = 3, KvHeads = 1, HeadDim = 32, MaxPositions = 64 },
        Projector = new ProjectorConfig(2),
        ImageTokenId = 31,
        FeatureLayers = [3],
        FeatureSelect = FeatureSelect.Patch,
    };

    private readonly KernelTeam _team = new(2);
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _mode = inference_mode();

    public void Dispose()
    {
        _mode.Dispose();
        _scope.Dispose();
        _team.Dispose();
    }

    public static TheoryData<LlavaConfig> Configs =>
    [
        Config,
        Config with { FeatureSelect = FeatureSelect.Full, FeatureLayers = [0, 2, 4] },
        Config with { FeatureLayers = [3, 1], Projector = new ProjectorConfig(1) },
        Config with { FeatureLayers = [0], Projector = new ProjectorConfig(3, Activation.Silu, Bias: false) }, // no block runs
        Config with { Vision = Config.Vision with { Activation = Activation.Gelu, Heads = 1 } },
        Config with { Text = Config.Text with { Hidden = 64 }, Projector = new ProjectorConfig(0) },
    ];

    [Theory]
    [MemberData(nameof(Configs), DisableDiscoveryEnumeration = true)]
    public void Encode_InFloat32_IsLibtorchsWithinRounding(LlavaConfig config)
    {
        using var network = Network(config, ScalarType.Float32);
        using var encoder = new CpuTileEncoder<Float32Element, float>(network, _team, WeightFormat.Float32);
        var pixels = Pixels(3);

        var ours = Encode(encoder, pixels);

        var difference = (ours - network.EncodeTiles(pixels)).abs().max().item<float>();
        Assert.InRange(difference, 0, 2e-5f);
    }

    [Fact]
    public void Encode_InBFloat16_IsAsNearToFloat32AsLibtorchsIs()
    {
        using var exact = Network(Config, ScalarType.Float32);
        using var network = Network(Config, ScalarType.BFloat16);
        using var encoder = new CpuTileEncoder<BFloat16Element, ushort>(network, _team, WeightFormat.BFloat16);
        var pixels = Pixels(3);
        var expected = exact.EncodeTiles(pixels);

        var ours = Error(Encode(encoder, pixels), expected);

        Assert.InRange(ours, 0, Error(network.EncodeTiles(pixels), expected));
    }

    [Fact]
    public void Encode_InWhateverStepsAndCompany_IsBitEqual()
    {
        using var network = Network(Config, ScalarType.Float32);
        using var encoder = new CpuTileEncoder<Float32Element, float>(network, _team, WeightFormat.Float32);
        var pixels = Pixels(3);
        var whole = Encode(encoder, pixels);

        for (var stages = 1; stages < encoder.Stages; stages++)
        {
            Assert.True(Same(whole, Encode(encoder, pixels, stages)), $"{stages} stages at once");
        }

        for (var tile = 0; tile < 3; tile++)
        {
            Assert.True(Same(whole.narrow(0, tile, 1), Encode(encoder, pixels.narrow(0, tile, 1))), $"tile {tile} alone");
        }
    }

    [Theory]
    [InlineData("multi_modal_projector.")]
    [InlineData("vision_tower.")]
    [InlineData("")]
    public void Encode_WithAnAdapter_IsLibtorchsWithItAndLeavesTheBase(string changed)
    {
        using var network = Network(Config, ScalarType.Float32);
        using var encoder = new CpuTileEncoder<Float32Element, float>(network, _team, WeightFormat.Float32);
        using var weights = RandomAdapter.Of(Config, 8, 3, name => name.StartsWith(changed, StringComparison.Ordinal) && LoraWeights.IsOfFeatures(name) && name.Contains("_proj", StringComparison.Ordinal));
        using var adapter = new LoraAdapter(weights, ScalarType.Float32, CPU);
        var pixels = Pixels(2);
        var plain = Encode(encoder, pixels);

        var adapted = Encode(encoder, pixels, adapter: adapter);

        Assert.InRange((adapted - network.EncodeTiles(pixels, AdapterBatch.Whole(adapter))).abs().max().item<float>(), 0, 2e-5f);
        Assert.True((adapted - plain).abs().max().item<float>() > 1e-2f);
        Assert.True(Same(plain, Encode(encoder, pixels)));
    }

    [Fact]
    public void Encode_OfTwoPicturesByTurns_MixesNothing()
    {
        using var network = Network(Config, ScalarType.Float32);
        using var encoder = new CpuTileEncoder<Float32Element, float>(network, _team, WeightFormat.Float32);
        var (first, second) = (Pixels(1), Pixels(1));
        var (alone, other) = (Encode(encoder, first), Encode(encoder, second));

        using var one = encoder.Begin(first);
        using var two = encoder.Begin(second);
        for (var stage = 0; stage < encoder.Stages; stage++)
        {
            one.Advance(1);
            two.Advance(1);
        }

        Assert.True(Same(alone, one.Finish()));
        Assert.True(Same(other, two.Finish()));
    }

    [Fact]
    public void Begin_AndDispose_LeaveNoTensor()
    {
        using var network = Network(Config, ScalarType.Float32);
        using var encoder = new CpuTileEncoder<Float32Element, float>(network, _team, WeightFormat.Float32);
        var pixels = Pixels(1);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        using (var encoding = encoder.Begin(pixels))
        {
            encoding.Advance(2);
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory]
    [InlineData(48, 64, 96)] // hidden: heads of 24
    [InlineData(64, 150, 96)]
    [InlineData(64, 160, 90)]
    public void For_OddAxes_IsLibtorchs(int hidden, int intermediate, int text)
    {
        var config = Config with { Vision = Config.Vision with { Hidden = hidden, Intermediate = intermediate }, Text = Config.Text with { Hidden = text } };
        using var network = Network(config, ScalarType.Float32);

        using var encoder = TileEncoder.For(network, _team);

        Assert.IsType<TorchTileEncoder>(encoder);
    }

    private static LlavaNetwork Network(LlavaConfig config, ScalarType type) => new(config, new Rounded(new RandomWeights(5), type), type, CPU);

    private static Tensor Pixels(int tiles) => randn(tiles, 3, Side, Side);

    private static bool Same(Tensor left, Tensor right) => allclose(left, right, rtol: 0, atol: 0);

    private static double Error(Tensor features, Tensor expected) => (features.to(ScalarType.Float32) - expected).square().mean().sqrt().item<float>();

    private static Tensor Encode(ITileEncoder encoder, Tensor pixels, int stages = int.MaxValue, LoraAdapter? adapter = null)
    {
        using var encoding = encoder.Begin(pixels, adapter);
        for (var done = 0; done < encoder.Stages; done += Math.Min(stages, encoder.Stages))
        {
            encoding.Advance(Math.Min(stages, encoder.Stages));
        }

        return encoding.Finish();
    }
}

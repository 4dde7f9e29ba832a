using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class ModelFolderWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-writer-").FullName;

    [Theory]
    [InlineData(2L << 30, 1)]
    [InlineData(300_000, 10)]
    public void Write_ThenOpen_GivesTheSameConfigAndTensors(long mostBytesOfAShard, int files)
    {
        using var scope = NewDisposeScope();
        using var original = CheckpointReader.Open(Goldens.Path("a_llava15"));
        var tokenizer = File.ReadAllBytes(Goldens.Path("a_llava15", "tokenizer.model"));

        ModelFolderWriter.Write(_folder, original.Config, planned => original.Take(planned.Name, [.. planned.Shape]), tokenizer, ScalarType.Float32, "bare", pad: true, mostBytesOfAShard);

        using var written = CheckpointReader.Open(_folder);
        Assert.Equal(files, Directory.GetFiles(_folder, "*.safetensors").Length);
        Assert.Equal(original.Config with { FeatureLayers = [], EosTokenIds = [], GridPinpoints = [] }, written.Config with { FeatureLayers = [], EosTokenIds = [], GridPinpoints = [] });
        Assert.Equal(original.Config.FeatureLayers, written.Config.FeatureLayers);
        Assert.Equal(original.Config.EosTokenIds, written.Config.EosTokenIds);
        Assert.Equal(ImageFit.Pad, PreprocessingConfigReader.Read(_folder, written.Config).Fit);
        Assert.Equal("bare\n", File.ReadAllText(Path.Combine(_folder, ModelFolderWriter.TemplateFile)));
        foreach (var planned in TensorPlan.For(original.Config).Where(planned => !planned.Optional))
        {
            Assert.Equal(0, (original.Take(planned.Name, [.. planned.Shape]) - written.Take(planned.Name, [.. planned.Shape])).abs().max().item<float>());
        }
    }

    [Fact]
    public void Write_OfEverythingAConfigMaySay_IsReadBackTheSame()
    {
        var config = new LlavaConfig
        {
            Family = ModelFamily.Llava15,
            Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4, Activation = Activation.Silu },
            Text = new TextConfig { VocabSize = 32, Hidden = 64, Intermediate = 96, Layers = 1, Heads = 4, KvHeads = 2, HeadDim = 16, AttentionBias = true, MlpBias = true, RopeLinearFactor = 4, TieWordEmbeddings = true },
            Projector = new ProjectorConfig(2, Activation.QuickGelu, Bias: false),
            ImageTokenId = 30,
            PadTokenId = 31,
            EosTokenIds = [2, 5],
            FeatureLayers = [1],
            FeatureSelect = FeatureSelect.Full,
        };
        using var scope = NewDisposeScope();

        ModelFolderWriter.Write(_folder, config, planned => zeros([.. planned.Shape]), new byte[] { 1 }, ScalarType.Float32, "bare", pad: false);

        using var written = CheckpointReader.Open(_folder);
        Assert.Equal(config with { FeatureLayers = [], EosTokenIds = [], GridPinpoints = [] }, written.Config with { FeatureLayers = [], EosTokenIds = [], GridPinpoints = [] });
        Assert.Equal([1], written.Config.FeatureLayers);
        Assert.Equal([2, 5], written.Config.EosTokenIds);
    }

    [Fact]
    public void Write_OfAProjectorThatHuggingFaceHasNot_IsRefused()
    {
        using var original = CheckpointReader.Open(Goldens.Path("a_llava15"));

        var fault = Assert.Throws<ArgumentException>(() =>
            ModelFolderWriter.Write(_folder, original.Config with { Projector = new ProjectorConfig(1) }, planned => zeros([.. planned.Shape]), default, ScalarType.Float32, "bare", pad: true));

        Assert.Contains("has a projector of 2 layers; this one has 1", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

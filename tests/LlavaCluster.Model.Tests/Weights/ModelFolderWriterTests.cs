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

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

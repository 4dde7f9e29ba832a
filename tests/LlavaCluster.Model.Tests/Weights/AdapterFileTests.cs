using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class AdapterFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LlavaConfig _config = LlavaConfigReader.Read(Goldens.Path("a_llava15"));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a_llava15")]
    [InlineData("b_llava_gqa_bf16")]
    [InlineData("c_llava_next")]
    public void Read_OfAFile_EqualsTheFolderItWasMadeOf(string checkpoint)
    {
        var config = LlavaConfigReader.Read(Goldens.Path(checkpoint));
        AdapterFile.Pack(Goldens.Path(checkpoint, "adapter"), _folder.File("one"));

        using var expected = LoraAdapterReader.Read(Goldens.Path(checkpoint, "adapter"), config);
        using var packed = LoraAdapterReader.Read(_folder.File("one"), config);
        AssertSame(expected, packed);

        AdapterFile.Unpack(_folder.File("one"), _folder.File("again"));
        using var unpacked = LoraAdapterReader.Read(_folder.File("again"), config);
        AssertSame(expected, unpacked);
        Assert.Equal(File.ReadAllBytes(Goldens.Path(checkpoint, "adapter", "adapter_config.json")), File.ReadAllBytes(Path.Combine(_folder.File("again"), "adapter_config.json")));
    }

    [Fact]
    public void Pack_Twice_GivesTheSameBytes()
    {
        AdapterFile.Pack(Goldens.Path("a_llava15", "adapter"), _folder.File("one"));
        AdapterFile.Pack(Goldens.Path("a_llava15", "adapter"), _folder.File("two"));

        Assert.Equal(File.ReadAllBytes(_folder.File("one")), File.ReadAllBytes(_folder.File("two")));
        using var file = SafetensorsFile.Open(_folder.File("one"));
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(File.ReadAllText(Goldens.Path("a_llava15", "adapter", "adapter_config.json")), file.Metadata["adapter_config"]);
    }

    [Fact]
    public void Pack_OfTheOriginalTrainersFolder_TakesTheProjectorIn()
    {
        WriteOriginal();

        AdapterFile.Pack(_folder.Root, _folder.File("one"));
        using var adapter = LoraAdapterReader.Read(_folder.File("one"), _config);

        Assert.Equal(95f, adapter.Replaced["multi_modal_projector.linear_1.bias"][95].item<float>());
        Assert.True(adapter.ChangesFeatures);
        Assert.True(adapter.Modules.ContainsKey("language_model.layers.0.self_attn.q_proj"));
    }

    [Fact]
    public void Pack_WhenATensorIsInTwoFiles_NamesIt()
    {
        WriteOriginal();
        using var tensor = zeros(96);
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), [new("base_model.model.model.mm_projector.0.bias", tensor)]);

        Assert.Contains("mm_projector.0.bias': is in another file of the folder too", Assert.Throws<CheckpointException>(() => AdapterFile.Pack(_folder.Root, _folder.File("one"))).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("one")));
    }

    [Fact]
    public void Read_OfAFileWithoutConfiguration_SaysSo()
    {
        using var tensor = zeros(4, 96);
        SafetensorsWriter.Write(_folder.File("one"), [new("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", tensor)]);

        Assert.Contains("is not an adapter: its metadata has no adapter_config", Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.File("one"), _config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfAFileForAnotherBase_NamesTensorAndShape()
    {
        AdapterFile.Pack(Goldens.Path("a_llava15", "adapter"), _folder.File("one"));

        var refusal = Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.File("one"), _config with { Text = _config.Text with { Hidden = 128 } }));

        Assert.Contains("for this base; was [", refusal.Message, StringComparison.Ordinal);
        Assert.NotNull(refusal.Tensor);
    }

    [Fact]
    public void Read_OfAFileWhoseConfigurationIsTooLarge_NamesTheBound()
    {
        using var tensor = zeros(4, 96);
        SafetensorsWriter.Write(_folder.File("one"), [new("a", tensor)], new Dictionary<string, string> { ["adapter_config"] = new string(' ', (1 << 20) + 1) });

        Assert.Contains("must be <= 1048576 bytes; was 1048577", Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.File("one"), _config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PackReadAndUnpack_LeaveNoTensor()
    {
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        AdapterFile.Pack(Goldens.Path("a_llava15", "adapter"), _folder.File("one"));
        AdapterFile.Unpack(_folder.File("one"), _folder.File("again"));
        LoraAdapterReader.Read(_folder.File("one"), _config).Dispose();

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static void AssertSame(LoraWeights expected, LoraWeights actual)
    {
        Assert.Equal(expected.BaseModel, actual.BaseModel);
        Assert.Equal(expected.Modules.Keys.Order(), actual.Modules.Keys.Order());
        foreach (var (module, factors) in expected.Modules)
        {
            Assert.True(factors.A.equal(actual.Modules[module].A).all().item<bool>());
            Assert.True(factors.B.equal(actual.Modules[module].B).all().item<bool>());
            Assert.Equal(factors.Scale, actual.Modules[module].Scale);
        }
    }

    private void WriteOriginal()
    {
        using var scope = NewDisposeScope();
        _ = _folder.Write("adapter_config.json", """{"peft_type":"LORA","r":4,"target_modules":["q_proj"]}""");
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), [new("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", zeros(4, 96)), new("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", zeros(96, 4))]);
        var pickle = PickleWriter.State(state => state
            .Text("base_model.model.model.mm_projector.0.bias").Tensor("FloatStorage", "0", 96, 0, [96], [1])
            .Text("base_model.model.model.mm_projector.0.weight").Tensor("FloatStorage", "1", 96 * 64, 0, [96, 64], [64, 1]));
        _ = _folder.Write("non_lora_trainables.bin", PickleWriter.Archive(pickle, ("0", PickleWriter.Floats([.. Enumerable.Range(0, 96).Select(index => (float)index)])), ("1", new byte[96 * 64 * sizeof(float)])));
    }
}

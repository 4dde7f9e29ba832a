using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class LoraAdapterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LlavaConfig _config = LlavaConfigReader.Read(Goldens.Path("a_llava15"));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a_llava15", 6, false)]
    [InlineData("b_llava_gqa_bf16", 6, false)]
    [InlineData("c_llava_next", 14, true)]
    public void Read_FromEitherNameGeneration_GivesOurModuleNames(string name, int modules, bool hasVision)
    {
        using var adapter = LoraAdapterReader.Read(Goldens.Path(name, "adapter"), LlavaConfigReader.Read(Goldens.Path(name)));

        Assert.Equal(modules, adapter.Modules.Count);
        Assert.Equal(hasVision, adapter.Modules.ContainsKey("vision_tower.vision_model.encoder.layers.0.self_attn.v_proj"));
        var factors = adapter.Modules["language_model.layers.2.self_attn.q_proj"];
        Assert.Equal([4L, 96], factors.A.shape);
        Assert.Equal(2.0, factors.Scale);
        Assert.Equal(name, adapter.BaseModel);
        Assert.Empty(adapter.Replaced);
    }

    [Fact]
    public void Write_ThenRead_GivesTheSameAdapter()
    {
        using var adapter = LoraAdapterReader.Read(Goldens.Path("c_llava_next", "adapter"), LlavaConfigReader.Read(Goldens.Path("c_llava_next")));
        using var bias = torch.full(96, 5f);
        using var weight = torch.full(96, 96, 6f);
        using var written = new LoraWeights(adapter.Modules, new Dictionary<string, Tensor> { ["multi_modal_projector.linear_2.bias"] = bias, ["multi_modal_projector.linear_2.weight"] = weight }, "base");

        LoraAdapterWriter.Write(_folder.Root, written, rank: 4, alpha: 8);
        using var again = LoraAdapterReader.Read(_folder.Root, LlavaConfigReader.Read(Goldens.Path("c_llava_next")));

        Assert.Equal(adapter.Modules.Keys.Order(), again.Modules.Keys.Order());
        foreach (var (module, factors) in adapter.Modules)
        {
            Assert.True(factors.A.equal(again.Modules[module].A).all().item<bool>());
            Assert.True(factors.B.equal(again.Modules[module].B).all().item<bool>());
            Assert.Equal(factors.Scale, again.Modules[module].Scale);
        }

        Assert.Equal(5f, again.Replaced["multi_modal_projector.linear_2.bias"][0].item<float>());
        using var file = SafetensorsFile.Open(_folder.File("adapter_model.safetensors"));
        Assert.Contains("base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight", file.Tensors.Keys);
        Assert.Contains("\"model.language_model.layers.0.self_attn.q_proj\"", File.ReadAllText(_folder.File("adapter_config.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"r\":4,\"lora_alpha\":8", 2.0)]
    [InlineData("\"r\":4,\"lora_alpha\":8,\"use_rslora\":true", 4.0)]
    [InlineData("\"r\":16,\"lora_alpha\":8,\"rank_pattern\":{\"q_proj\":4},\"alpha_pattern\":{\"layers.0.self_attn.q_proj\":12}", 3.0)]
    [InlineData("\"r\":4,\"lora_alpha\":8,\"alpha_pattern\":{\"language_model.*_proj\":40,\"q_proj\":4}", 10.0)]
    [InlineData("\"r\":4,\"lora_alpha\":8,\"alpha_pattern\":{\"_proj\":40}", 2.0)]
    public void Read_TakesTheScaleFromItsPatterns(string settings, double scale)
    {
        WriteAdapter(settings, 4, "language_model.model.layers.0.self_attn.q_proj");

        using var adapter = LoraAdapterReader.Read(_folder.Root, _config);

        Assert.Equal(scale, adapter.Modules["language_model.layers.0.self_attn.q_proj"].Scale);
    }

    [Theory]
    [InlineData("\"peft_type\":\"IA3\"", "peft_type must be one of LORA; was \"IA3\"")]
    [InlineData("\"use_dora\":true", "use_dora must be off")]
    [InlineData("\"layer_replication\":[[0,2]]", "layer_replication must be off")]
    [InlineData("\"target_parameters\":[\"x\"]", "target_parameters must be off")]
    [InlineData("\"lora_bias\":true", "lora_bias must be off")]
    [InlineData("\"init_lora_weights\":\"pissa\"", "init_lora_weights must be true, false")]
    [InlineData("\"r\":0", "r must be an integer between 1 and 1048576; was 0")]
    [InlineData("\"r\":4,\"rank_pattern\":{\"(q)\\\\1\":4}", "rank_pattern must have regular expressions as its keys, without look-around and back-references")]
    [InlineData("\"r\":4,\"rank_pattern\":{\"(\":4}", "rank_pattern must have regular expressions as its keys")]
    [InlineData("\"r\":8", "must have rank 8, as adapter_config.json says; A has 4 and B 4")]
    public void Read_WhenTheAdapterIsOfAnotherKind_NamesTheKey(string settings, string message)
    {
        WriteAdapter(settings, 4, "model.language_model.layers.0.self_attn.q_proj");

        Assert.Contains(message, Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.Root, _config)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("base_model.model.language_model.model.layers.9.self_attn.q_proj.lora_A.weight", new long[] { 4, 96 }, "a module that the base does not have")]
    [InlineData("base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight", new long[] { 4, 95 }, "must have shape [rank, 96] for this base; was [4, 95]")]
    [InlineData("base_model.model.language_model.model.layers.0.mlp.down_proj.lora_B.weight", new long[] { 4, 95 }, "must have shape [96, rank]")]
    [InlineData("base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight", new long[] { 4, 96 }, "has no partner")]
    [InlineData("base_model.model.language_model.model.embed_tokens.lora_embedding_A", new long[] { 4, 96 }, "is neither a LoRA factor nor a tensor of the base")]
    [InlineData("base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", new long[] { 96 }, "is neither a LoRA factor")]
    [InlineData("base_model.model.multi_modal_projector.linear_1.bias", new long[] { 95 }, "must have shape [96] for this base; was [95]")]
    [InlineData("base_model.model.multi_modal_projector.linear_1.bias", new long[] { 96 }, "replaces a tensor of the base; only the projector's weights may be replaced, with or without their biases")]
    [InlineData("base_model.model.language_model.model.norm.weight", new long[] { 96 }, "replaces a tensor of the base; only the projector's weights may be replaced")]
    [InlineData("base_model.model.language_model.model.embed_tokens.lora_A.weight", new long[] { 4, 96 }, "adapts a table of embeddings; only projections can be adapted")]
    public void Read_WhenATensorDoesNotFitTheBase_NamesIt(string name, long[] shape, string message)
    {
        _ = _folder.Write("adapter_config.json", """{"peft_type":"LORA","r":4,"target_modules":["q_proj"]}""");
        using var tensor = torch.zeros(shape);
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), [new(name, tensor)]);

        var refusal = Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.Root, _config));

        Assert.Equal(name, refusal.Tensor);
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WhenTheAdaptedHeadIsTiedToTheEmbeddings_NamesIt()
    {
        WriteAdapter("\"r\":4", 4, "language_model.lm_head", outputs: _config.Text.VocabSize);
        using (var adapter = LoraAdapterReader.Read(_folder.Root, _config))
        {
            Assert.True(adapter.Modules.ContainsKey("lm_head"));
        }

        var tied = _config with { Text = _config.Text with { TieWordEmbeddings = true } };

        Assert.Contains("lm_head.lora_A.weight': adapts a table of embeddings", Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.Root, tied)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WhenAPatternWouldBacktrackForEver_AnswersAtOnce()
    {
        // Within the 200 ms that a pattern once had, a file of a thousand of them took minutes for every module.
        WriteAdapter($"\"r\":4,\"alpha_pattern\":{{{string.Join(',', Enumerable.Range(0, 200).Select(i => $"\"((.*)*)*{i}\":{i + 1}"))}}}", 4, "language_model.model.layers.0.self_attn.q_proj");

        using var adapter = LoraAdapterReader.Read(_folder.Root, _config);

        Assert.Equal(2.0, adapter.Modules["language_model.layers.0.self_attn.q_proj"].Scale);
    }

    [Fact]
    public void Read_WhenAFactorHoldsIntegers_NamesIt()
    {
        _ = _folder.Write("adapter_config.json", """{"peft_type":"LORA","r":4}""");
        using var tensor = torch.zeros(4, 96, ScalarType.Int64);
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"), [new("base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight", tensor)]);

        Assert.Contains("must hold floating-point numbers; was Int64", Assert.Throws<CheckpointException>(() => LoraAdapterReader.Read(_folder.Root, _config)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("multi_modal_projector.linear_1.bias")]
    [InlineData("language_model.norm.weight")]
    [InlineData("language_model.layers.0.self_attn.q_proj.bias")]
    public void Apply_WhenItReplacesWhatRowsCannotDifferIn_IsRefused(string name)
    {
        using var tensor = torch.zeros(96);
        using var weights = new LoraWeights(new Dictionary<string, LoraFactors>(), new Dictionary<string, Tensor> { [name] = tensor });

        Assert.Contains(name, Assert.Throws<ArgumentException>(() => new LoraAdapter(weights, ScalarType.Float32, CPU)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WhenTheTrainerSavedTheProjectorBeside_ReplacesIt()
    {
        WriteAdapter("\"r\":4", 4, "model.layers.0.self_attn.q_proj");
        var pickle = PickleWriter.State(state => state
            .Text("base_model.model.model.mm_projector.0.bias").Tensor("FloatStorage", "0", 96, 0, [96], [1])
            .Text("base_model.model.model.mm_projector.0.weight").Tensor("FloatStorage", "1", 96 * 64, 0, [96, 64], [64, 1]));
        _ = _folder.Write("non_lora_trainables.bin", PickleWriter.Archive(pickle, ("0", PickleWriter.Floats([.. Enumerable.Range(0, 96).Select(index => (float)index)])), ("1", new byte[96 * 64 * sizeof(float)])));

        using var adapter = LoraAdapterReader.Read(_folder.Root, _config);

        Assert.Equal(95f, adapter.Replaced["multi_modal_projector.linear_1.bias"][95].item<float>());
        Assert.True(adapter.Modules.ContainsKey("language_model.layers.0.self_attn.q_proj"));
    }

    [Fact]
    public void Read_LeavesNoTensorsBehind()
    {
        using var scope = NewDisposeScope();
        using (var adapter = LoraAdapterReader.Read(Goldens.Path("a_llava15", "adapter"), _config))
        {
            Assert.Equal(6, adapter.Modules.Count);
        }

        Assert.Equal(0, scope.DisposablesCount);
    }

    private void WriteAdapter(string settings, long rank, string module, long outputs = 96)
    {
        using var scope = NewDisposeScope();
        var type = settings.Contains("peft_type", StringComparison.Ordinal) ? "" : "\"peft_type\":\"LORA\",";
        _ = _folder.Write("adapter_config.json", $$"""{ {{type}} {{settings}}, "target_modules":["q_proj"], "some_new_key": 1 }""");
        SafetensorsWriter.Write(_folder.File("adapter_model.safetensors"),
        [
            new($"base_model.model.{module}.lora_A.weight", torch.zeros(rank, 96)),
            new($"base_model.model.{module}.lora_B.weight", torch.zeros(outputs, rank)),
        ]);
    }
}

using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class CheckpointReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, ScalarType> Goldens => new()
    {
        { "a_llava15", ScalarType.Float32 },
        { "b_llava_gqa_bf16", ScalarType.BFloat16 },
        { "c_llava_next", ScalarType.Float16 },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Open_WhenTheCheckpointIsWhole_TakesEveryPlannedTensor(string name, ScalarType type)
    {
        using var checkpoint = CheckpointReader.Open(LlavaCluster.TestSupport.Goldens.Path(name));

        Assert.Equal(type, checkpoint.StoredType);
        foreach (var planned in TensorPlan.For(checkpoint.Config))
        {
            using var tensor = checkpoint.Take(planned.Name, [.. planned.Shape]);
            Assert.Equal(type, tensor.dtype);
            Assert.Equal(planned.Shape, tensor.shape);
            Assert.True(tensor.isfinite().all().item<bool>());
        }
    }

    [Fact]
    public void StoredType_WhenTheNormsAreWider_IsThatOfTheMatrices()
    {
        var golden = LlavaCluster.TestSupport.Goldens.Path("b_llava_gqa_bf16");
        foreach (var file in Directory.GetFiles(golden, "*.json").Where(file => !file.EndsWith(".index.json", StringComparison.Ordinal)))
        {
            File.Copy(file, _folder.File(Path.GetFileName(file)));
        }

        using var scope = NewDisposeScope();
        using var original = CheckpointReader.Open(golden);
        SafetensorsWriter.Write(
            _folder.File("model.safetensors"),
            [
                .. TensorPlan.For(original.Config).Where(planned => original.Contains(planned.Name)).Select(planned => KeyValuePair.Create(
                    ModelFolderWriter.StoredName(planned.Name),
                    original.Take(planned.Name, [.. planned.Shape]).to(planned.Shape.Count == 1 ? ScalarType.Float32 : ScalarType.BFloat16))),
            ]);

        using var checkpoint = CheckpointReader.Open(_folder.Root);

        Assert.Equal(ScalarType.BFloat16, checkpoint.StoredType);
    }

    [Fact]
    public void Open_GivesTheBytesOfTheFile()
    {
        var folder = LlavaCluster.TestSupport.Goldens.Path("a_llava15");
        using var checkpoint = CheckpointReader.Open(folder);
        using var file = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        using var ours = checkpoint.Take("language_model.layers.1.self_attn.q_proj.weight", 96, 96);
        using var theirs = file.View("language_model.model.layers.1.self_attn.q_proj.weight");

        Assert.True(ours.equal(theirs).all().item<bool>());
    }

    [Fact]
    public void Take_WhenTheShapeDiffers_IsRefusedByName()
    {
        using var checkpoint = CheckpointReader.Open(LlavaCluster.TestSupport.Goldens.Path("a_llava15"));

        var refusal = Assert.Throws<CheckpointException>(() => checkpoint.Take("lm_head.weight", 96, 1024));

        Assert.Equal("lm_head.weight", refusal.Tensor);
        Assert.Contains("must have shape [96, 1024]; was [1024, 96]", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenTensorsAreMissingExtraAndMisshapen_NamesThemAll()
    {
        WithChangedWeights(tensors =>
        {
            _ = tensors.Remove("language_model.model.norm.weight");
            tensors["vision_tower.stranger"] = torch.zeros(1);
            tensors["multi_modal_projector.linear_2.bias"] = torch.zeros(7);
        });

        var message = Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message;

        Assert.Contains("'language_model.norm.weight' [96] is missing", message, StringComparison.Ordinal);
        Assert.Contains("'vision_tower.stranger' [1] is not part of the model", message, StringComparison.Ordinal);
        Assert.Contains("'multi_modal_projector.linear_2.bias' must have shape [96]; was [7]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenManyTensorsAreWrong_ListsTenAndCountsTheRest()
    {
        WithChangedWeights(tensors =>
        {
            foreach (var name in tensors.Keys.Where(name => name.Contains("language_model.model.layers.0", StringComparison.Ordinal)).Concat(tensors.Keys.Where(name => name.Contains("language_model.model.layers.1", StringComparison.Ordinal))).ToArray())
            {
                _ = tensors.Remove(name);
            }
        });

        var message = Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message;

        Assert.Contains("and 8 more", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenOnlyUnusedTensorsAreMissing_Succeeds()
    {
        WithChangedWeights(tensors =>
        {
            foreach (var name in tensors.Keys.Where(name => name.Contains("encoder.layers.3.", StringComparison.Ordinal) || name.Contains("post_layernorm", StringComparison.Ordinal)).ToArray())
            {
                _ = tensors.Remove(name);
            }

            tensors["language_model.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(8);
            tensors["vision_tower.vision_model.embeddings.position_ids"] = torch.zeros(1, 17, dtype: int64);
        });

        using var checkpoint = CheckpointReader.Open(_folder.Root);

        Assert.False(checkpoint.Contains("vision_tower.vision_model.post_layernorm.weight"));
        Assert.DoesNotContain(checkpoint.Names, name => name.Contains("inv_freq", StringComparison.Ordinal));
    }

    [Fact]
    public void Open_WhenOneTensorHasTwoNames_IsRefused()
    {
        WithChangedWeights(tensors => tensors["lm_head.weight"] = torch.zeros(1024, 96));

        Assert.Contains("two names of one tensor", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenAShardIsMissing_NamesTheFile()
    {
        _ = _folder.CopyOf(LlavaCluster.TestSupport.Goldens.Path("b_llava_gqa_bf16"));
        File.Delete(_folder.File("model-00002-of-00002.safetensors"));

        Assert.Contains("model-00002-of-00002.safetensors", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../a.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("")]
    [InlineData("..")]
    public void Open_WhenAShardLiesOutsideTheFolder_IsRefused(string shard)
    {
        _ = _folder.CopyOf(LlavaCluster.TestSupport.Goldens.Path("b_llava_gqa_bf16"));
        _ = _folder.Write("model.safetensors.index.json", $$$"""{"weight_map":{"lm_head.weight":"{{{shard}}}"}}""");

        Assert.Contains("must map to a file name", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenTheFolderIsNoModel_SaysSo()
    {
        Assert.Contains("is not a model folder: it has no config.json", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
        Assert.Contains("is not a folder", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.File("absent"))).Message, StringComparison.Ordinal);
        _ = _folder.CopyOf(LlavaCluster.TestSupport.Goldens.Path("a_llava15"));
        File.Delete(_folder.File("model.safetensors"));
        Assert.Contains("has no weights", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenAProjectorFileIsGiven_ItReplacesTheCheckpoints()
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(_folder.File("p.safetensors"), [new("model.mm_projector.0.bias", torch.full(96, 3f))]);

        using var checkpoint = CheckpointReader.Open(LlavaCluster.TestSupport.Goldens.Path("a_llava15"), new CheckpointOptions { Projector = _folder.File("p.safetensors") });

        Assert.Equal(3f, checkpoint.Take("multi_modal_projector.linear_1.bias", 96)[5].item<float>());
    }

    private void WithChangedWeights(Action<Dictionary<string, Tensor>> change)
    {
        using var scope = NewDisposeScope();
        _ = _folder.CopyOf(LlavaCluster.TestSupport.Goldens.Path("a_llava15"));
        using var file = SafetensorsFile.Open(LlavaCluster.TestSupport.Goldens.Path("a_llava15", "model.safetensors"));
        var tensors = file.Tensors.Keys.ToDictionary(name => name, file.View);
        change(tensors);
        SafetensorsWriter.Write(_folder.File("model.safetensors"), [.. tensors]);
    }
}

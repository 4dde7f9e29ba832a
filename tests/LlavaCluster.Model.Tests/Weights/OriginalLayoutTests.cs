using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

/// <summary>The fixture <c>a_llava15</c> rewritten as haotian-liu/LLaVA lays a checkpoint out: .bin files, original names, a CLIP folder of its own.</summary>
public sealed class OriginalLayoutTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_FromTheOriginalLayout_GivesTheSameTensors(bool projectorApart)
    {
        WriteModel(projectorApart, "tower");
        WriteTower("tower");
        using var scope = NewDisposeScope();
        using var expected = CheckpointReader.Open(Goldens.Path("a_llava15"));

        using var actual = CheckpointReader.Open(_folder.Root);

        AssertSame(expected, actual);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Take_OfATensorStoredColumnByColumn_GivesItRowByRow(ScalarType type)
    {
        WriteModel(projectorApart: false, "tower", columnMajor: "language_model.model.layers.0.mlp.up_proj.weight");
        WriteTower("tower");
        using var scope = NewDisposeScope();
        using var expected = CheckpointReader.Open(Goldens.Path("a_llava15"));
        using var actual = CheckpointReader.Open(_folder.Root);
        const string name = "language_model.layers.0.mlp.up_proj.weight";

        var taken = new CheckpointWeights(actual, type, CPU).Take(name, 256, 96);

        Assert.False(actual.Take(name, 256, 96).is_contiguous());
        Assert.True(taken.is_contiguous());
        Assert.True(expected.Take(name, 256, 96).to(type).equal(taken).all().item<bool>());
    }

    [Fact]
    public void Open_WhenTheTowerIsNamedByARepository_TakesTheFolderGiven()
    {
        WriteModel(projectorApart: false, "openai/clip-vit-large-patch14-336");
        WriteTower("elsewhere");
        using var scope = NewDisposeScope();
        using var expected = CheckpointReader.Open(Goldens.Path("a_llava15"));

        using var actual = CheckpointReader.Open(_folder.Root, new CheckpointOptions { VisionTower = _folder.File("elsewhere") });

        AssertSame(expected, actual);
    }

    [Fact]
    public void Open_WhenTheModelBringsATunedTower_KeepsItBesideThePlainOne()
    {
        WriteModel(projectorApart: false, "tower", ownTower: true);
        WriteTower("tower", scale: 2);
        using var scope = NewDisposeScope();
        using var expected = CheckpointReader.Open(Goldens.Path("a_llava15"));

        using var actual = CheckpointReader.Open(_folder.Root);

        AssertSame(expected, actual);
    }

    [Fact]
    public void Open_WhenTheTowerIsNowhere_NamesIt()
    {
        WriteModel(projectorApart: false, "openai/clip-vit-large-patch14-336");

        Assert.Contains("holds no vision tower; give the folder of 'openai/clip-vit-large-patch14-336'", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    private static void AssertSame(Checkpoint expected, Checkpoint actual)
    {
        Assert.Equal(expected.Config.Text, actual.Config.Text);
        Assert.Equal(expected.Config.Vision, actual.Config.Vision);
        foreach (var planned in TensorPlan.For(expected.Config))
        {
            Assert.True(expected.Take(planned.Name, [.. planned.Shape]).equal(actual.Take(planned.Name, [.. planned.Shape])).all().item<bool>(), planned.Name);
        }
    }

    private void WriteModel(bool projectorApart, string tower, bool ownTower = false, string? columnMajor = null)
    {
        _ = _folder.Write("tokenizer.model", "x");
        _ = _folder.Write("config.json", $$"""
            {"model_type":"llava_llama","hidden_size":96,"intermediate_size":256,"max_position_embeddings":1024,"num_attention_heads":6,"num_hidden_layers":3,"rms_norm_eps":1e-05,"vocab_size":1024,
             "mm_vision_tower":"{{tower}}","mm_projector_type":"mlp2x_gelu","mm_vision_select_layer":-2,"mm_hidden_size":64}
            """);
        using var file = SafetensorsFile.Open(Goldens.Path("a_llava15", "model.safetensors"));
        var names = file.Tensors.Keys.Where(name => ownTower || !name.StartsWith("vision_tower.", StringComparison.Ordinal)).ToArray();
        var apart = names.Where(name => projectorApart && name.StartsWith("multi_modal", StringComparison.Ordinal)).ToArray();
        WriteArchive(file, "pytorch_model.bin", names.Except(apart), columnMajor);
        if (projectorApart)
        {
            WriteArchive(file, "mm_projector.bin", apart);
        }
    }

    private void WriteArchive(SafetensorsFile file, string path, IEnumerable<string> names, string? columnMajor = null)
    {
        var storages = new List<(string Key, byte[] Data)>();
        var pickle = PickleWriter.State(state =>
        {
            foreach (var name in names)
            {
                var info = file.Tensors[name];
                var count = info.Shape.Aggregate(1L, (product, extent) => product * extent);
                _ = state.Text(Original(name)).Tensor("FloatStorage", storages.Count.ToString(), count, 0, [.. info.Shape], name == columnMajor ? [1, info.Shape[0]] : TensorMemory.ContiguousStrides(info.Shape));
                storages.Add((storages.Count.ToString(), name == columnMajor ? Transposed(file, name) : file.Bytes(name).ToArray()));
            }

            _ = state.Text("model.layers.0.self_attn.rotary_emb.inv_freq").Tensor("FloatStorage", storages.Count.ToString(), 1, 0, [1], [1]);
            storages.Add((storages.Count.ToString(), new byte[4]));
        });
        _ = _folder.Write(path, PickleWriter.Archive(pickle, [.. storages]));
    }

    private static byte[] Transposed(SafetensorsFile file, string name)
    {
        using var scope = NewDisposeScope();
        return file.View(name).t().contiguous().bytes.ToArray();
    }

    private void WriteTower(string name, double scale = 1)
    {
        _ = Directory.CreateDirectory(_folder.File(name));
        _ = _folder.Write(Path.Combine(name, "config.json"), """{"model_type":"clip","vision_config":{"hidden_size":64,"image_size":56,"intermediate_size":160,"num_attention_heads":4,"num_hidden_layers":4,"patch_size":14},"text_config":{}}""");
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(Goldens.Path("a_llava15", "model.safetensors"));
        var tensors = file.Tensors.Keys.Where(tensor => tensor.StartsWith("vision_tower.", StringComparison.Ordinal))
            .Select(tensor => new KeyValuePair<string, Tensor>(tensor["vision_tower.".Length..], file.View(tensor).mul(scale)));
        SafetensorsWriter.Write(_folder.File(Path.Combine(name, "model.safetensors")), [.. tensors, new("logit_scale", torch.tensor(1f)), new("text_model.final_layer_norm.weight", torch.zeros(4))]);
    }

    private static string Original(string name) => name
        .Replace("vision_tower.", "model.vision_tower.vision_tower.", StringComparison.Ordinal)
        .Replace("language_model.lm_head", "lm_head", StringComparison.Ordinal)
        .Replace("language_model.model", "model", StringComparison.Ordinal)
        .Replace("multi_modal_projector.linear_1", "model.mm_projector.0", StringComparison.Ordinal)
        .Replace("multi_modal_projector.linear_2", "model.mm_projector.2", StringComparison.Ordinal);
}

using System.Text.Json.Nodes;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

/// <summary>On the shipped model; the golden checkpoints are too small for the kernels.</summary>
public sealed class PackedFolderWriterTests : IDisposable
{
    private const int BlockSize = 16;

    private static readonly string Shipped = Goldens.Path("..", "..", "models", "scenes");
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(WeightFormat.Q8, 2L << 30)]
    [InlineData(WeightFormat.Q4, 2L << 30)]
    [InlineData(WeightFormat.Q8, 1L << 20)] // in several files
    public void Write_MakesAModel_ThatScoresAsOneThatIsPackedWhenItIsLoaded(WeightFormat format, long mostBytesOfAShard)
    {
        PackedFolderWriter.Write(Shipped, _folder.Root, format, threads: 2, mostBytesOfAShard);
        using var packed = LlavaModel.Load(_folder.Root);
        using var expected = LlavaModel.Load(Shipped, dtype: packed.Network.Dtype);

        Assert.Equal(format, packed.Network.Packed!.Format);
        Assert.Equal(LlavaModel.HasFastBFloat16 ? ScalarType.BFloat16 : ScalarType.Float32, packed.Network.Dtype);
        Assert.Equal(Score(expected.Network, format), Score(packed.Network, null));
        Assert.Equal(Score(expected.Network, format), Score(packed.Network, format));
    }

    [Theory]
    [InlineData(ScalarType.Float16, false)]
    [InlineData(ScalarType.BFloat16, true)] // one table is embedding and head: it is held both ways
    public void Write_OfOtherModels_KeepsWhatTheyScore(ScalarType stored, bool tied)
    {
        using var source = Variant(stored, tied);
        PackedFolderWriter.Write(source.Root, _folder.Root, WeightFormat.Q8, threads: 1);
        using var packed = LlavaModel.Load(_folder.Root);
        using var expected = LlavaModel.Load(source.Root, dtype: packed.Network.Dtype);

        Assert.Equal(Score(expected.Network, WeightFormat.Q8), Score(packed.Network, null));
    }

    [Fact]
    public void Take_OfAPackedMatrix_IsRefused()
    {
        PackedFolderWriter.Write(Shipped, _folder.Root, WeightFormat.Q8, threads: 2);
        using var checkpoint = CheckpointReader.Open(_folder.Root);
        var matrix = TensorPlan.For(checkpoint.Config).First(planned => planned.Name == "lm_head.weight");

        Assert.Contains("only the CPU's kernels read it", Assert.Throws<CheckpointException>(() => checkpoint.Take(matrix.Name, [.. matrix.Shape])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OverAModel_IsRefusedAndChangesNothing()
    {
        _folder.CopyOf(Shipped);

        Assert.Contains("give a folder without a model", Assert.Throws<CheckpointException>(() => PackedFolderWriter.Write(_folder.Root, _folder.Root, WeightFormat.Q8, 1)).Message, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Shipped, "model.safetensors")), File.ReadAllBytes(_folder.File("model.safetensors")));
    }

    [Fact]
    public void Write_OfAModelTheKernelsDoNotTake_NamesTheReason() =>
        Assert.Contains("its heads have 16 numbers", Assert.Throws<NotSupportedException>(() => PackedFolderWriter.Write(Goldens.Path("a_llava15"), _folder.Root, WeightFormat.Q8, 1)).Message, StringComparison.Ordinal);

    [Fact]
    public void Write_OfQ8_TakesLittleMoreThanAByteAWeight()
    {
        PackedFolderWriter.Write(Shipped, _folder.Root, WeightFormat.Q8, threads: 2);

        var (plain, packed) = (new FileInfo(Path.Combine(Shipped, "model.safetensors")).Length, new FileInfo(_folder.File("model.safetensors")).Length);
        var matrices = TensorPlan.For(ShippedConfig()).Where(planned => planned.Shape.Count == 2 && (planned.Name == "lm_head.weight" || planned.Name.StartsWith("language_model.layers.", StringComparison.Ordinal))).Sum(planned => planned.Shape[0] * planned.Shape[1]);
        Assert.InRange(plain - packed, 0.9 * matrices, 0.95 * matrices); // two bytes became 17/16
        Assert.Equal(File.ReadAllBytes(Path.Combine(Shipped, "tokenizer.model")), File.ReadAllBytes(_folder.File("tokenizer.model")));
    }

    [Fact]
    public void Network_OfPackedMatrices_RefusesToComputeWithoutThem()
    {
        PackedFolderWriter.Write(Shipped, _folder.Root, WeightFormat.Q8, threads: 2);
        using var model = LlavaModel.Load(_folder.Root);
        using var scope = NewDisposeScope();

        var refused = Assert.Throws<NotSupportedException>(() => model.Network.Logits(model.Network.Embed(tensor(new[] { 1L }))));

        Assert.StartsWith("The model's matrices are stored in Q8", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decoder_OfAnotherFormat_IsRefused()
    {
        PackedFolderWriter.Write(Shipped, _folder.Root, WeightFormat.Q8, threads: 2);
        using var model = LlavaModel.Load(_folder.Root);

        Assert.Contains("stored in Q8", Assert.Throws<NotSupportedException>(() => Score(model.Network, WeightFormat.Q4)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OfAPackedFolder_IsRefused()
    {
        PackedFolderWriter.Write(Shipped, _folder.Root, WeightFormat.Q8, threads: 2);
        using var second = new TemporaryFolder();

        Assert.Contains("is packed in Q8 already", Assert.Throws<CheckpointException>(() => PackedFolderWriter.Write(_folder.Root, second.Root, WeightFormat.Q4, 1)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("language_model.model.layers.0.mlp.up_proj.weight.q8.1", 44, 4351, "must be a matrix [704, 256] packed in Q8, bytes of shape [44, 4352]; was [44, 4351] of Byte")]
    [InlineData("language_model.model.layers.0.mlp.up_proj.weight.q8.1", 1, 544, "must be a matrix [704, 256] packed in Q8, bytes of shape [44, 4352]; was [1, 544] of Byte")] // though it is there plain too
    [InlineData("language_model.model.norm.weight.q8.1", 1, 544, "is none of the language model's matrices")]
    [InlineData("language_model.model.embed_tokens.weight.q8.1", 60, 4352, "is none of the language model's matrices")]
    [InlineData("multi_modal_projector.linear_1.weight.q8.1", 16, 4352, "is none of the language model's matrices")]
    [InlineData("language_model.model.norm.weight.q8.2", 1, 544, "'language_model.model.norm.weight.q8.2' [1, 544] is not part of the model")]
    public void Open_OfAPackedTensorThatFitsNoMatrix_NamesIt(string name, long blocks, long bytes, string message)
    {
        File.Copy(Path.Combine(Shipped, "config.json"), _folder.File("config.json"));
        using (var file = SafetensorsFile.Open(Path.Combine(Shipped, "model.safetensors")))
        using (NewDisposeScope())
        {
            var tensors = file.Tensors.Keys.Select(stored => KeyValuePair.Create(stored, file.View(stored)));
            SafetensorsWriter.Write(_folder.File("model.safetensors"), [.. tensors, KeyValuePair.Create(name, zeros([blocks, bytes], ScalarType.Byte))]);
        }

        Assert.Contains(message, Assert.Throws<CheckpointException>(() => CheckpointReader.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    private static TemporaryFolder Variant(ScalarType stored, bool tied)
    {
        const string head = "language_model.lm_head.weight";
        var folder = new TemporaryFolder().CopyOf(Shipped);
        using (var file = SafetensorsFile.Open(Path.Combine(Shipped, "model.safetensors")))
        using (NewDisposeScope())
        {
            SafetensorsWriter.Write(folder.File("model.safetensors"), [.. file.Tensors.Keys.Where(name => !tied || name != head).Select(name => KeyValuePair.Create(name, file.View(name).to(stored)))]);
        }

        if (tied)
        {
            var config = JsonNode.Parse(File.ReadAllText(folder.File("config.json")))!;
            config["tie_word_embeddings"] = true;
            config["text_config"]!["tie_word_embeddings"] = true;
            folder.Write("config.json", config.ToJsonString());
        }

        return folder;
    }

    private static LlavaConfig ShippedConfig() => LlavaConfigReader.Read(Shipped);

    private static float[] Score(LlavaNetwork network, WeightFormat? weights)
    {
        const int tokens = 20;
        using var team = new KernelTeam(2);
        using var cache = new KvCache(network.Config.Text, 4, BlockSize, network.Dtype, CPU);
        using var decoder = PagedDecoder.For(network, cache, team, tokens, weights);
        var step = new DecoderStep(BlockSize);
        step.Batch.Add([0, 1], 0, tokens);
        step.Ids.AddRange(Enumerable.Range(300, tokens).Select(id => (long)id));
        step.Sampled.Add(tokens - 1);
        var logits = new float[network.Config.Text.VocabSize];
        decoder.Decode(step, logits);
        return logits;
    }
}

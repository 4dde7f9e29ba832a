using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Makes of a model folder another whose language model's matrices are packed: it is mapped when it is loaded, so that a worker starts at once and shares its pages with the next one.
/// The other files of the folder are copied. Every file is there whole or not at all; config.json comes last, so a half-written folder is not a model.
/// </summary>
public static class PackedFolderWriter
{
    private const string Config = "config.json";
    private const string IndexFile = "model.safetensors.index.json";
    private static readonly string[] WeightFiles = [".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json"];

    /// <param name="source">In Hugging Face's layout; its matrices in bfloat16, float16 or float32.</param>
    /// <param name="target">Made where it is not there; must hold no model.</param>
    /// <param name="format">Of integers.</param>
    /// <param name="threads">That pack.</param>
    /// <param name="mostBytesOfAShard">Above it the weights are split, with an index; memory for one shard is taken.</param>
    /// <exception cref="CheckpointException">The source is no model, is packed already or is in the original layout; or the target holds a model.</exception>
    /// <exception cref="NotSupportedException">The kernels do not take the model.</exception>
    public static void Write(string source, string target, WeightFormat format, int threads, long mostBytesOfAShard = 2L << 30)
    {
        using var checkpoint = CheckpointReader.Open(source);
        if (checkpoint.Packed is { } packed)
        {
            throw new CheckpointException(source, $"is packed in {packed.Format} already; give the folder it was made from.");
        }

        if (LlavaConfigReader.IsOriginal(LlavaConfigReader.ReadRoot(source)))
        {
            throw new CheckpointException(source, "is in the original LLaVA layout, whose tower may be elsewhere; give the model in Hugging Face's layout.");
        }

        if (Directory.Exists(target) && Directory.EnumerateFiles(target).FirstOrDefault(file => Path.GetFileName(file) == Config || IsWeights(file)) is { } old)
        {
            throw new CheckpointException(target, $"holds '{Path.GetFileName(old)}' already; give a folder without a model.");
        }

        if (PagedDecoder.WhyNotCpu(checkpoint.Config.Text) is { } reason)
        {
            throw new NotSupportedException($"{source}: the CPU's kernels cannot run this model, packed or not: {reason}.");
        }

        var pieces = Pieces(checkpoint, format);
        Directory.CreateDirectory(target);
        using var team = new KernelTeam(threads);
        WriteShards(target, checkpoint, pieces, format, team, mostBytesOfAShard);
        foreach (var file in Directory.EnumerateFiles(source).Where(file => !IsWeights(file)).OrderBy(file => Path.GetFileName(file) == Config))
        {
            AtomicFile.Write(Path.Combine(target, Path.GetFileName(file)), stream =>
            {
                using var from = File.OpenRead(file);
                from.CopyTo(stream);
            });
        }
    }

    private static bool IsWeights(string file) => WeightFiles.Any(end => file.EndsWith(end, StringComparison.OrdinalIgnoreCase));

    // The packed ones first: their sizes are multiples of 32 bytes, so that no vector of theirs crosses more cache lines than it must.
    private static List<Piece> Pieces(Checkpoint checkpoint, WeightFormat format)
    {
        var plan = TensorPlan.For(checkpoint.Config).Where(planned => checkpoint.Contains(planned.Name)).ToList();
        var text = checkpoint.Config.Text;
        var matrices = plan.Where(planned => PackedTensor.IsMatrix(text, planned.Name, planned.Shape.Count)).ToList();
        var embedding = text.TieWordEmbeddings ? PackedTensor.Head(text) : null; // held both ways
        return
        [
            .. matrices.Select(matrix => new Piece(matrix, PackedTensor.Suffix(format), MatrixPacking.Bytes(format, matrix.Shape[0], matrix.Shape[1]))),
            .. plan.Where(planned => planned.Name == embedding || !matrices.Contains(planned)).Select(planned => new Piece(planned, "", planned.Shape.Aggregate((long)TensorMemory.ElementSize(checkpoint.TypeOf(planned.Name)), (size, extent) => size * extent))),
        ];
    }

    private static void WriteShards(string target, Checkpoint checkpoint, List<Piece> pieces, WeightFormat format, KernelTeam team, long most)
    {
        var shards = Split(pieces, most);
        var index = new JsonObject();
        for (var i = 0; i < shards.Count; i++)
        {
            var file = shards.Count == 1 ? "model.safetensors" : $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            using var scope = NewDisposeScope();
            SafetensorsWriter.Write(Path.Combine(target, file), [.. shards[i].Select(piece => KeyValuePair.Create(piece.StoredName, Tensor(checkpoint, piece, format, team)))], new Dictionary<string, string> { ["format"] = "pt" });
            shards[i].ForEach(piece => index[piece.StoredName] = file);
        }

        if (shards.Count > 1)
        {
            AtomicFile.Write(Path.Combine(target, IndexFile), stream => JsonSerializer.Serialize<JsonNode>(stream, new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = pieces.Sum(piece => piece.Bytes) }, ["weight_map"] = index }));
        }
    }

    private static unsafe Tensor Tensor(Checkpoint checkpoint, Piece piece, WeightFormat format, KernelTeam team)
    {
        var stored = checkpoint.Take(piece.Planned.Name, [.. piece.Planned.Shape]);
        if (piece.Suffix.Length == 0)
        {
            return stored;
        }

        var packed = empty(PackedTensor.ShapeOf(format, piece.Planned.Shape[0], piece.Planned.Shape[1]), ScalarType.Byte);
        MatrixPacking.PackStored(stored, format, TensorMemory.Address(packed), team);
        stored.Dispose();
        return packed;
    }

    private static List<List<Piece>> Split(List<Piece> pieces, long most)
    {
        var shards = new List<List<Piece>> { new() };
        var bytes = 0L;
        foreach (var piece in pieces)
        {
            if (shards[^1].Count > 0 && bytes + piece.Bytes > most)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(piece);
            bytes += piece.Bytes;
        }

        return shards;
    }

    /// <param name="Suffix">Of a packed matrix; empty for a tensor that stays as it is.</param>
    /// <param name="Bytes">As stored.</param>
    private sealed record Piece(PlannedTensor Planned, string Suffix, long Bytes)
    {
        public string StoredName => ModelFolderWriter.StoredName(Planned.Name) + Suffix;
    }
}

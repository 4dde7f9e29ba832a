using System.Text.Json;
using LlavaCluster.Model.Config;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// The weights of one folder as one set of named tensors: a single file or an index with its shards, safetensors before <c>.bin</c>.
/// </summary>
internal sealed class ShardedCheckpoint : ITensorFile
{
    private static readonly (string Name, bool IsIndex)[] Layouts =
    [
        ("model.safetensors", false),
        ("model.safetensors.index.json", true),
        ("pytorch_model.bin", false),
        ("pytorch_model.bin.index.json", true),
    ];

    private readonly List<ITensorFile> _files = [];
    private readonly Dictionary<string, ITensorFile> _owners = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);

    private ShardedCheckpoint(string folder) => Path = folder;

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public static ShardedCheckpoint Open(string folder)
    {
        var checkpoint = new ShardedCheckpoint(folder);
        try
        {
            var layout = Layouts.FirstOrDefault(layout => File.Exists(System.IO.Path.Combine(folder, layout.Name)));
            if (layout.Name is null)
            {
                throw new CheckpointException(folder, $"has no weights: none of {string.Join(", ", Layouts.Select(known => known.Name))}.");
            }

            if (layout.IsIndex)
            {
                checkpoint.AddShards(System.IO.Path.Combine(folder, layout.Name));
            }
            else
            {
                checkpoint.Add(layout.Name);
            }

            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public Tensor View(string name) => _owners.TryGetValue(name, out var file) ? file.View(name) : throw new CheckpointException(Path, name, "is not in the checkpoint.");

    public void Forget()
    {
        foreach (var file in _files)
        {
            file.Forget();
        }
    }

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }

    private void AddShards(string index)
    {
        var section = ConfigSection.ReadFile(index);
        if (section.Find("weight_map") is not { ValueKind: JsonValueKind.Object } map)
        {
            throw section.Refuse("weight_map", "must be an object");
        }

        var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in map.EnumerateObject())
        {
            // A shard is a neighbour of its index; anything else could reach out of the folder.
            var shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "";
            shardOf[entry.Name] = shard.Length > 0 && System.IO.Path.GetFileName(shard) == shard && shard is not ("." or "..")
                ? shard
                : throw new CheckpointException(index, entry.Name, $"must map to a file name; was {CheckpointException.Printable(entry.Value.GetRawText())}.");
        }

        foreach (var shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            Add(shard);
        }

        foreach (var (name, shard) in shardOf)
        {
            if (!_owners.TryGetValue(name, out var file) || System.IO.Path.GetFileName(file.Path) != shard)
            {
                throw new CheckpointException(index, name, $"should be in '{CheckpointException.Printable(shard)}', which does not hold it.");
            }
        }
    }

    private void Add(string fileName)
    {
        var file = TensorFile.Open(System.IO.Path.Combine(Path, fileName));
        _files.Add(file);
        foreach (var (name, info) in file.Tensors)
        {
            if (!_owners.TryAdd(name, file))
            {
                throw new CheckpointException(file.Path, name, $"is also in '{_owners[name].Path}'.");
            }

            _tensors.Add(name, info);
        }
    }
}

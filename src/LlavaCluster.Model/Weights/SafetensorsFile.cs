using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A memory-mapped safetensors file. Opening reads the header only and refuses one that does not describe the file exactly
/// (<see cref="CheckpointException"/>); tensors are views of the mapping, nothing is copied. Reading is safe from several threads.
/// </summary>
public sealed unsafe class SafetensorsFile : ITensorFile
{
    private const int LengthPrefix = sizeof(ulong);

    private readonly MappedFile _file;
    private readonly long _dataStart;
    private readonly Dictionary<string, SafetensorsEntry> _entries;

    private SafetensorsFile(string path, MappedFile file, long dataStart, Dictionary<string, SafetensorsEntry> entries, Dictionary<string, string> metadata)
    {
        Path = path;
        _file = file;
        _dataStart = dataStart;
        _entries = entries;
        Metadata = metadata;
        Tensors = entries.ToDictionary(entry => entry.Key, entry => entry.Value.Info, StringComparer.Ordinal);
    }

    public string Path { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>The header's free-form strings.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    public static SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            if (file.Length < LengthPrefix)
            {
                throw new CheckpointException(path, $"is {file.Length} bytes long; a safetensors file has at least {LengthPrefix}.");
            }

            var header = *(ulong*)file.Start;
            if (header > SafetensorsHeader.LongestHeader || (long)header > file.Length - LengthPrefix)
            {
                throw new CheckpointException(path, $"says its header is {header} bytes long; the bound is {Math.Min(SafetensorsHeader.LongestHeader, file.Length - LengthPrefix)} bytes. The file is truncated or not safetensors.");
            }

            var dataStart = LengthPrefix + (long)header;
            var (entries, metadata) = SafetensorsHeader.Parse(path, file.Span(LengthPrefix, (int)header), file.Length - dataStart);
            return new SafetensorsFile(path, file, dataStart, entries, metadata);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A CPU tensor over the mapped file: read only (writing to it faults), and dead once this is disposed. The caller disposes it.</summary>
    public Tensor View(string name)
    {
        var entry = Entry(name);
        var shape = entry.Info.Shape;
        return TensorMemory.View(_file.Start + _dataStart + entry.Offset, entry.Info.Type, [.. shape], TensorMemory.ContiguousStrides(shape));
    }

    /// <summary>The tensor's little-endian bytes (at most 2 GB), valid until this is disposed.</summary>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var entry = Entry(name);
        return _file.Span(_dataStart + entry.Offset, checked((int)entry.Length));
    }

    public void Forget() => _file.Forget();

    public void Dispose() => _file.Dispose();

    private SafetensorsEntry Entry(string name) =>
        _entries.TryGetValue(name, out var entry) ? entry : throw new CheckpointException(Path, name, "is not in the file.");
}

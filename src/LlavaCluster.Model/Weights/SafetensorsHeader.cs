using System.Text.Json;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// The JSON header of a safetensors file, checked as the reference implementation checks it: the entries tile the data exactly, without holes,
/// overlaps or bytes left over, and every length follows from its shape and type.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>The reference implementation's bound on a header, in bytes.</summary>
    public const long LongestHeader = 100_000_000;

    public static readonly IReadOnlyDictionary<string, ScalarType> Types = new Dictionary<string, ScalarType>(StringComparer.Ordinal)
    {
        ["F64"] = ScalarType.Float64,
        ["F32"] = ScalarType.Float32,
        ["F16"] = ScalarType.Float16,
        ["BF16"] = ScalarType.BFloat16,
        ["I64"] = ScalarType.Int64,
        ["I32"] = ScalarType.Int32,
        ["I16"] = ScalarType.Int16,
        ["I8"] = ScalarType.Int8,
        ["U8"] = ScalarType.Byte,
        ["BOOL"] = ScalarType.Bool,
    };

    private const string MetadataKey = "__metadata__";

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    /// <param name="dataLength">Bytes of the file after the header.</param>
    public static (Dictionary<string, SafetensorsEntry> Entries, Dictionary<string, string> Metadata) Parse(string path, ReadOnlySpan<byte> json, long dataLength)
    {
        var entries = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(json.ToArray(), Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new CheckpointException(path, "the header must be a JSON object.");
            }

            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == MetadataKey)
                {
                    ReadMetadata(path, property.Value, metadata);
                }
                else
                {
                    entries.Add(property.Name, ReadEntry(path, property.Name, property.Value, dataLength));
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(path, "the header is not valid: " + exception.Message, exception);
        }

        RequireTiling(path, entries.Values, dataLength);
        return (entries, metadata);
    }

    private static void ReadMetadata(string path, JsonElement value, Dictionary<string, string> metadata)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException(path, $"{MetadataKey} must be an object.");
        }

        foreach (var property in value.EnumerateObject())
        {
            metadata[property.Name] = property.Value.ValueKind == JsonValueKind.String
                ? property.Value.GetString()!
                : throw new CheckpointException(path, $"{MetadataKey} must hold strings only.");
        }
    }

    private static SafetensorsEntry ReadEntry(string path, string name, JsonElement value, long dataLength)
    {
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var type) || type.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shape) || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
        {
            throw new CheckpointException(path, name, "needs dtype, shape and two data_offsets.");
        }

        if (!Types.TryGetValue(type.GetString()!, out var scalar))
        {
            throw new CheckpointException(path, name, $"has dtype '{CheckpointException.Printable(type.GetString()!)}', which is not one of {string.Join(", ", Types.Keys)}.");
        }

        if (shape.GetArrayLength() > TensorInfo.MostDimensions)
        {
            throw new CheckpointException(path, name, $"has {shape.GetArrayLength()} dimensions; the bound is {TensorInfo.MostDimensions}.");
        }

        var sizes = shape.EnumerateArray().Select(size => Count(path, name, "shape", size)).ToArray();
        var start = Count(path, name, "data_offsets", offsets[0]);
        var end = Count(path, name, "data_offsets", offsets[1]);
        if (start > end || end > dataLength)
        {
            throw new CheckpointException(path, name, $"has data_offsets [{start}, {end}], which must be ordered and <= {dataLength}, the bytes of data the file has.");
        }

        var expected = sizes.Aggregate((UInt128)TensorMemory.ElementSize(scalar), (bytes, size) => bytes > ulong.MaxValue ? bytes : bytes * (UInt128)size);
        if (sizes.Contains(0))
        {
            expected = 0;
        }

        return expected == (UInt128)(end - start)
            ? new SafetensorsEntry(new TensorInfo(name, scalar, sizes), start, end - start)
            : throw new CheckpointException(path, name, $"has shape {TensorInfo.Print(sizes)} and dtype {type.GetString()}, which needs {expected} bytes; its data_offsets give {end - start}.");
    }

    private static long Count(string path, string name, string field, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var count) && count >= 0
            ? count
            : throw new CheckpointException(path, name, $"{field} must hold integers >= 0; was {CheckpointException.Printable(value.GetRawText())}.");

    private static void RequireTiling(string path, IEnumerable<SafetensorsEntry> entries, long dataLength)
    {
        var end = 0L;
        foreach (var entry in entries.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Length))
        {
            if (entry.Offset != end)
            {
                var fault = entry.Offset < end ? "overlaps the tensor before it" : "leaves a hole before it";
                throw new CheckpointException(path, entry.Info.Name, $"{fault}: it starts at {entry.Offset}; the data before it ends at {end}.");
            }

            end += entry.Length;
        }

        if (end != dataLength)
        {
            throw new CheckpointException(path, $"the tensors cover {end} bytes of data; the file has {dataLength}.");
        }
    }
}

/// <summary>Where one tensor lies: <paramref name="Offset"/> counts from the first byte after the header.</summary>
internal sealed record SafetensorsEntry(TensorInfo Info, long Offset, long Length);

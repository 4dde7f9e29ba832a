using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Writes a safetensors file so that it is there whole or not at all: to a temporary name in the same folder, flushed to the disk, then renamed over the old one.
/// A full disk or a crash leaves the old file as it was.
/// </summary>
public static unsafe class SafetensorsWriter
{
    private const int HeaderAlignment = 64;
    private const int ChunkBytes = 64 << 20;

    /// <summary>Writes the tensors in the order given; each is read on the calling thread and none is disposed. Tensors off the CPU or not contiguous are copied one at a time.</summary>
    public static void Write(string path, IReadOnlyList<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, stream => Write(stream, tensors, metadata));

    /// <summary>The same bytes to a stream, from where it stands.</summary>
    public static void Write(Stream stream, IReadOnlyList<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var header = Header(tensors, metadata);
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (var (_, tensor) in tensors)
        {
            WriteTensor(stream, tensor);
        }
    }

    private static byte[] Header(IReadOnlyList<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WritePropertyName("__metadata__");
                JsonSerializer.Serialize(json, metadata);
            }

            var offset = 0L;
            foreach (var (name, tensor) in tensors)
            {
                offset = WriteEntry(json, name, tensor, offset);
            }

            json.WriteEndObject();
        }

        // Spaces after the JSON keep the data aligned for every element type.
        var padding = HeaderAlignment - ((sizeof(ulong) + (int)buffer.Length) % HeaderAlignment);
        return [.. buffer.ToArray(), .. Enumerable.Repeat((byte)' ', padding % HeaderAlignment)];
    }

    private static long WriteEntry(Utf8JsonWriter json, string name, Tensor tensor, long offset)
    {
        var type = tensor.dtype;
        var typeName = SafetensorsHeader.Types.FirstOrDefault(pair => pair.Value == type).Key
            ?? throw new ArgumentException($"Tensor '{name}' has type {type}, which safetensors does not hold.", nameof(tensor));
        var end = offset + (tensor.numel() * TensorMemory.ElementSize(type));
        json.WriteStartObject(name);
        json.WriteString("dtype", typeName);
        json.WritePropertyName("shape");
        JsonSerializer.Serialize(json, tensor.shape);
        json.WritePropertyName("data_offsets");
        JsonSerializer.Serialize(json, new[] { offset, end });
        json.WriteEndObject();
        return end;
    }

    private static void WriteTensor(Stream stream, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        var contiguous = tensor.detach().cpu().contiguous();
        var left = contiguous.numel() * TensorMemory.ElementSize(contiguous.dtype);
        if (left == 0)
        {
            return;
        }

        for (var data = TensorMemory.Address(contiguous); left > 0;)
        {
            var chunk = (int)Math.Min(left, ChunkBytes);
            stream.Write(new ReadOnlySpan<byte>(data, chunk));
            data += chunk;
            left -= chunk;
        }
    }
}

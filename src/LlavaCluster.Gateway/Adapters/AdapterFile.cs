using System.Buffers.Binary;
using System.Text.Json;

namespace LlavaCluster.Gateway.Adapters;

/// <summary>
/// What an adapter's file says at its beginning: safetensors (eight bytes of length, a JSON header, numbers) whose metadata hold PEFT's <c>adapter_config</c> as text. Whether its
/// tensors fit a model the workers find out.
/// </summary>
internal static class AdapterFile
{
    public const string ConfigKey = "adapter_config";

    /// <summary>Bytes before the header.</summary>
    public const int LengthBytes = sizeof(long);

    /// <summary>Bytes of a header; those of the largest adapters have a tenth.</summary>
    public const int MostHeaderBytes = 16 << 20;

    /// <summary>Bytes of the header; null where that many cannot be.</summary>
    public static int? HeaderBytes(ReadOnlySpan<byte> head) =>
        head.Length >= LengthBytes && BinaryPrimitives.ReadInt64LittleEndian(head) is > 0 and <= MostHeaderBytes and var length ? (int)length : null;

    /// <summary>The broken rule; null if none is.</summary>
    /// <param name="head">The file's beginning, header and all.</param>
    public static string? Problem(ReadOnlyMemory<byte> head)
    {
        if (HeaderBytes(head.Span) is not { } length)
        {
            return $"must be a safetensors file, whose first 8 bytes are the length of its header, 1 to {MostHeaderBytes}.";
        }

        if (head.Length < LengthBytes + length)
        {
            return $"must hold its header of {length} bytes; it ends after {head.Length - LengthBytes}.";
        }

        try
        {
            using var header = JsonDocument.Parse(head.Slice(LengthBytes, length));
            if (Property(header.RootElement, "__metadata__") is not { } metadata || Property(metadata, ConfigKey) is not { ValueKind: JsonValueKind.String } config)
            {
                return $"must have {ConfigKey} in its metadata, the text of PEFT's adapter_config.json.";
            }

            using var settings = JsonDocument.Parse(config.GetString()!);
            return settings.RootElement.ValueKind == JsonValueKind.Object ? null : $"must have a JSON object as {ConfigKey}.";
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return $"must have well-formed JSON as its header and in {ConfigKey}.";
        }
    }

    private static JsonElement? Property(JsonElement holder, string name) => holder.ValueKind == JsonValueKind.Object && holder.TryGetProperty(name, out var value) ? value : null;
}

using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>Small safetensors files with a configuration: enough for their beginning to be looked at, not for a model.</summary>
internal static class TestAdapters
{
    /// <param name="content">Files of different numbers are different files.</param>
    public static byte[] File(byte content, string? config = """{"r":8,"lora_alpha":16}""")
    {
        var metadata = config is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["adapter_config"] = config };
        return File(JsonSerializer.Serialize(new Dictionary<string, object> { ["__metadata__"] = metadata, ["a"] = new { dtype = "U8", shape = new[] { 1 }, data_offsets = new[] { 0, 1 } } }), content);
    }

    public static byte[] File(string header, byte content)
    {
        var bytes = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + bytes.Length + 1];
        BinaryPrimitives.WriteInt64LittleEndian(file, bytes.Length);
        bytes.CopyTo(file, 8);
        file[^1] = content;
        return file;
    }
}

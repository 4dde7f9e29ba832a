using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cli.Tests.Parity;

/// <summary>A copy of a golden folder, under a name that says nothing, whose float32 weights can be damaged. Gone when disposed.</summary>
internal sealed class GoldenCopy : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("llava-parity-").FullName;

    public GoldenCopy(string golden)
    {
        Copy(Goldens.Path(golden), Folder);
        Copy(Goldens.Path("images"), Path.Combine(_root, "images"));
    }

    public string Folder => Path.Combine(_root, "checkpoint");

    public void AddToTensor(string name, float amount)
    {
        var path = Path.Combine(Folder, "model.safetensors");
        var bytes = File.ReadAllBytes(path);
        var header = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        using var json = JsonDocument.Parse(bytes.AsMemory(8, header));
        var offsets = json.RootElement.GetProperty(name).GetProperty("data_offsets");
        var values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(8 + header)[offsets[0].GetInt32()..offsets[1].GetInt32()]);
        foreach (ref var value in values)
        {
            value += amount;
        }

        File.WriteAllBytes(path, bytes);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}

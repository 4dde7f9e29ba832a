using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlavaCluster.Engine.Tests.Sampling;

/// <summary>Reads whole tensors of a small trusted safetensors file (little-endian machines only).</summary>
internal sealed class SafetensorsFixture
{
    private readonly byte[] _file;
    private readonly int _dataStart;
    private readonly Dictionary<string, (int Start, int End)> _places = [];

    public SafetensorsFixture(string path)
    {
        _file = File.ReadAllBytes(path);
        _dataStart = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(_file);
        using var header = JsonDocument.Parse(_file.AsMemory(8, _dataStart - 8));
        foreach (var entry in header.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            var offsets = entry.Value.GetProperty("data_offsets");
            _places.Add(entry.Name, (offsets[0].GetInt32(), offsets[1].GetInt32()));
        }
    }

    public IEnumerable<string> Names => _places.Keys;

    public T[] Read<T>(string name)
        where T : struct
    {
        var (start, end) = _places[name];
        return MemoryMarshal.Cast<byte, T>(_file.AsSpan((_dataStart + start)..(_dataStart + end))).ToArray();
    }
}

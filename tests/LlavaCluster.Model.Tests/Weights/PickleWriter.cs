using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace LlavaCluster.Model.Tests.Weights;

/// <summary>Writes pickles and PyTorch archives the way torch.save does, opcode by opcode, so that tests can also write what torch.save never would.</summary>
internal sealed class PickleWriter
{
    private readonly MemoryStream _code = new();

    public PickleWriter() => Raw(0x80, 2);

    public PickleWriter Raw(params byte[] bytes)
    {
        _code.Write(bytes);
        return this;
    }

    public PickleWriter Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Raw((byte)'X');
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        _code.Write(length);
        return Raw(bytes);
    }

    public PickleWriter Integer(long value)
    {
        if (value is >= 0 and < 256)
        {
            return Raw((byte)'K', (byte)value);
        }

        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Raw(0x8a, 8).Raw(bytes.ToArray());
    }

    public PickleWriter Global(string module, string name) => Raw([(byte)'c', .. Encoding.UTF8.GetBytes($"{module}\n{name}\n")]);

    public PickleWriter Tuple(params long[] values)
    {
        Raw((byte)'(');
        foreach (var value in values)
        {
            Integer(value);
        }

        return Raw((byte)'t');
    }

    public PickleWriter OrderedDict() => Global("collections", "OrderedDict").Raw((byte)')', (byte)'R');

    public PickleWriter Tensor(string storageType, string key, long storageCount, long offset, long[] shape, long[] strides)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Raw((byte)'(');
        Raw((byte)'(').Text("storage").Global("torch", storageType).Text(key).Text("cpu").Integer(storageCount).Raw((byte)'t', (byte)'Q');
        return Integer(offset).Tuple(shape).Tuple(strides).Raw(0x89).OrderedDict().Raw((byte)'t', (byte)'R');
    }

    /// <summary>A state dictionary: an ordered dictionary with a _metadata attribute, as a module's state_dict() is saved.</summary>
    public static byte[] State(Action<PickleWriter> items)
    {
        var writer = new PickleWriter().OrderedDict().Raw((byte)'q', 0, (byte)'(');
        items(writer);
        return writer.Raw((byte)'u').Raw((byte)'}').Text("_metadata").OrderedDict().Raw((byte)'s', (byte)'b').End();
    }

    public byte[] End() => Raw((byte)'.')._code.ToArray();

    public static byte[] Archive(byte[] pickle, params (string Key, byte[] Data)[] storages)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            Member(zip, "archive/data.pkl", pickle);
            Member(zip, "archive/byteorder", "little"u8.ToArray());
            foreach (var (key, data) in storages)
            {
                Member(zip, "archive/data/" + key, data);
            }
        }

        return stream.ToArray();
    }

    public static void Member(ZipArchive zip, string name, byte[] data, CompressionLevel level = CompressionLevel.NoCompression)
    {
        using var entry = zip.CreateEntry(name, level).Open();
        entry.Write(data);
    }

    public static byte[] Floats(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];
}

using System.Buffers.Binary;
using System.Text;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Where the members of a zip file lie. PyTorch stores them uncompressed and aligned, so a member can be used in place; .NET's own reader
/// does not tell the offsets. Takes zip64. Fields: PKWARE's APPNOTE 6.3.
/// </summary>
internal static unsafe class ZipDirectory
{
    private const uint EndMagic = 0x06054b50;
    private const uint End64LocatorMagic = 0x07064b50;
    private const uint End64Magic = 0x06064b50;
    private const uint EntryMagic = 0x02014b50;
    private const uint LocalMagic = 0x04034b50;
    private const int EndLength = 22;
    private const int LongestComment = ushort.MaxValue;

    /// <summary>Every stored member by name: offset of its first byte in the file, and its length.</summary>
    public static Dictionary<string, (long Offset, long Length)> Read(string path, MappedFile file)
    {
        var (offset, count) = FindDirectory(path, file);
        var members = new Dictionary<string, (long, long)>(StringComparer.Ordinal);
        for (var index = 0L; index < count; index++)
        {
            var head = Slice(path, file, offset, 46);
            if (U32(head, 0) != EntryMagic)
            {
                throw Broken(path, "an entry of the directory has no signature");
            }

            var (nameLength, extraLength, commentLength) = (U16(head, 28), U16(head, 30), U16(head, 32));
            var name = Encoding.UTF8.GetString(Slice(path, file, offset + 46, nameLength));
            var extra = Slice(path, file, offset + 46 + nameLength, extraLength);
            if (!members.TryAdd(name, Locate(path, file, name, head, extra)))
            {
                throw Broken(path, $"the member '{CheckpointException.Printable(name)}' occurs twice");
            }

            offset += 46 + nameLength + extraLength + commentLength;
        }

        return members;
    }

    private static (long Offset, long Count) FindDirectory(string path, MappedFile file)
    {
        var first = Math.Max(0, file.Length - EndLength - LongestComment);
        for (var at = file.Length - EndLength; at >= first; at--)
        {
            if (*(uint*)(file.Start + at) != EndMagic)
            {
                continue;
            }

            var end = Slice(path, file, at, EndLength);
            var (count, offset) = (U16(end, 10), U32(end, 16));
            return count == ushort.MaxValue || offset == uint.MaxValue ? FindDirectory64(path, file, at) : (offset, count);
        }

        throw Broken(path, "it has no end-of-directory record");
    }

    private static (long Offset, long Count) FindDirectory64(string path, MappedFile file, long end)
    {
        var locator = Slice(path, file, end - 20, 20);
        var record = U32(locator, 0) == End64LocatorMagic ? Slice(path, file, I64(path, locator, 8), 56) : throw Broken(path, "its zip64 locator is missing");
        return U32(record, 0) == End64Magic ? (I64(path, record, 48), I64(path, record, 32)) : throw Broken(path, "its zip64 record is missing");
    }

    private static (long Offset, long Length) Locate(string path, MappedFile file, string name, ReadOnlySpan<byte> head, ReadOnlySpan<byte> extra)
    {
        if (U16(head, 10) != 0 || (U16(head, 8) & 1) != 0)
        {
            throw Broken(path, $"the member '{CheckpointException.Printable(name)}' is compressed or encrypted; PyTorch stores members as they are");
        }

        long packed = U32(head, 20), length = U32(head, 24), local = U32(head, 42);
        ReadExtra64(path, extra, ref length, ref packed, ref local);
        var localHead = Slice(path, file, local, 30);
        var offset = local + 30 + U16(localHead, 26) + U16(localHead, 28);
        return U32(localHead, 0) == LocalMagic && packed == length && length <= file.Length - offset
            ? (offset, length)
            : throw Broken(path, $"the member '{CheckpointException.Printable(name)}' does not lie inside the file");
    }

    private static void ReadExtra64(string path, ReadOnlySpan<byte> extra, ref long length, ref long packed, ref long local)
    {
        const ushort zip64 = 1;
        while (extra.Length >= 4)
        {
            var size = U16(extra, 2);
            if (size > extra.Length - 4)
            {
                throw Broken(path, "an extra field is longer than its entry");
            }

            var body = extra.Slice(4, size);
            if (U16(extra, 0) == zip64)
            {
                length = Wide(path, length, ref body);
                packed = Wide(path, packed, ref body);
                local = Wide(path, local, ref body);
                return;
            }

            extra = extra[(4 + size)..];
        }
    }

    private static long Wide(string path, long narrow, ref ReadOnlySpan<byte> body)
    {
        if (narrow != uint.MaxValue)
        {
            return narrow;
        }

        var value = body.Length >= 8 ? I64(path, body, 0) : throw Broken(path, "a zip64 field is too short");
        body = body[8..];
        return value;
    }

    private static ReadOnlySpan<byte> Slice(string path, MappedFile file, long offset, int length) =>
        offset >= 0 && offset <= file.Length - length ? file.Span(offset, length) : throw Broken(path, $"a record at {offset} does not lie inside its {file.Length} bytes");

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(string path, ReadOnlySpan<byte> bytes, int at) =>
        BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]) is >= 0 and var value ? value : throw Broken(path, "an offset is negative");

    private static CheckpointException Broken(string path, string reason) => new(path, $"is a damaged or truncated zip file: {reason}.");
}

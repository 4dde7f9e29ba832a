using System.Buffers.Binary;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>What a zip archive says at its end (PKWARE's APPNOTE 6.3, 4.3.14 to 4.3.16): enough to refuse a list of entries that would fill the memory.</summary>
internal static class ZipEnd
{
    private const int EndBytes = 22, LongestComment = ushort.MaxValue;
    private const int LocatorBytes = 20, End64Bytes = 56;

    /// <summary>Bytes between the beginning of the list of entries and the end: what its reader may go through. 0 where there is no end, which that reader refuses.</summary>
    public static long DirectoryBytes(string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        var tail = new byte[Math.Min(length, EndBytes + LongestComment + LocatorBytes)];
        var first = length - tail.Length;
        var read = RandomAccess.Read(file, tail, first);
        var at = tail.AsSpan(0, read).LastIndexOf("PK\x05\x06"u8);
        if (at < 0 || read - at < EndBytes)
        {
            return 0;
        }

        var begin = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at + 16));
        var bytes = begin == uint.MaxValue ? 0 : first + at - begin;
        if (at < LocatorBytes || !tail.AsSpan(at - LocatorBytes).StartsWith("PK\x06\x07"u8))
        {
            return bytes;
        }

        var record = new byte[End64Bytes];
        var place = BinaryPrimitives.ReadInt64LittleEndian(tail.AsSpan(at - LocatorBytes + 8));
        return place >= 0 && RandomAccess.Read(file, record, place) == record.Length ? Math.Max(bytes, first + at - BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(48))) : bytes;
    }
}

using System.Buffers.Binary;

namespace LlavaCluster.Gateway.Images;

/// <summary>BMP: a file header of 14 bytes, then an OS/2 (12 bytes) or Windows (40 or more) header; a negative height means top-down rows.</summary>
internal static class BmpHeader
{
    private const int FileHeader = 14;
    private const int Uncompressed = 0;
    private const int BitFields = 3;

    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith("BM"u8);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        if (file.Length < FileHeader + 12)
        {
            return Bad(HeaderResult.Truncated);
        }

        var pixels = BinaryPrimitives.ReadUInt32LittleEndian(file[10..]);
        var info = file[FileHeader..];
        var infoLength = BinaryPrimitives.ReadUInt32LittleEndian(info);
        if (infoLength == 12)
        {
            return Check(file, pixels, BinaryPrimitives.ReadUInt16LittleEndian(info[4..]), BinaryPrimitives.ReadUInt16LittleEndian(info[6..]), BinaryPrimitives.ReadUInt16LittleEndian(info[10..]), Uncompressed);
        }

        if (infoLength is < 40 or > 124)
        {
            return Bad(HeaderResult.Malformed);
        }

        if (info.Length < infoLength)
        {
            return Bad(HeaderResult.Truncated);
        }

        var width = BinaryPrimitives.ReadInt32LittleEndian(info[4..]);
        var height = BinaryPrimitives.ReadInt32LittleEndian(info[8..]);
        var bits = BinaryPrimitives.ReadUInt16LittleEndian(info[14..]);
        var compression = BinaryPrimitives.ReadInt32LittleEndian(info[16..]);
        return Check(file, pixels, width, height, bits, compression);
    }

    private static HeaderResult Check(ReadOnlySpan<byte> file, uint pixels, int width, int height, int bits, int compression)
    {
        if (width < 0 || height == int.MinValue || bits is not (1 or 4 or 8 or 16 or 24 or 32))
        {
            return Bad(HeaderResult.Malformed);
        }

        height = Math.Abs(height);
        var row = (((long)width * bits) + 31) / 32 * 4;
        var needed = compression is Uncompressed or BitFields ? (Int128)pixels + ((Int128)row * height) : (Int128)pixels + 1;
        return needed > file.Length ? Bad(HeaderResult.Truncated) : new HeaderResult("BMP", new ImageHeader(ImageFormat.Bmp, width, height), null);
    }

    private static HeaderResult Bad(string problem) => new("BMP", null, problem);
}

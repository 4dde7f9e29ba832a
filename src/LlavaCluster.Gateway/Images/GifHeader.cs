using System.Buffers.Binary;

namespace LlavaCluster.Gateway.Images;

/// <summary>GIF (GIF89a specification): the screen, then blocks; the first frame must be whole, later ones are never shown.</summary>
internal static class GifHeader
{
    private const byte Extension = 0x21;
    private const byte Frame = 0x2C;

    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith("GIF87a"u8) || file.StartsWith("GIF89a"u8);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        if (file.Length < 13)
        {
            return Bad(HeaderResult.Truncated);
        }

        var width = BinaryPrimitives.ReadUInt16LittleEndian(file[6..]);
        var height = BinaryPrimitives.ReadUInt16LittleEndian(file[8..]);
        var at = 13 + ColourTable(file[10]);
        while (at < file.Length)
        {
            switch (file[at])
            {
                case Extension when SkipSubBlocks(file, at + 2) is { } next:
                    at = next;
                    break;
                case Frame when at + 10 <= file.Length:
                    return AtFrame(file, at, width, height);
                case Extension or Frame:
                    return Bad(HeaderResult.Truncated);
                default:
                    return Bad(HeaderResult.Malformed);
            }
        }

        return Bad(HeaderResult.Truncated);
    }

    private static HeaderResult AtFrame(ReadOnlySpan<byte> file, int at, int width, int height)
    {
        var right = BinaryPrimitives.ReadUInt16LittleEndian(file[(at + 1)..]) + BinaryPrimitives.ReadUInt16LittleEndian(file[(at + 5)..]);
        var bottom = BinaryPrimitives.ReadUInt16LittleEndian(file[(at + 3)..]) + BinaryPrimitives.ReadUInt16LittleEndian(file[(at + 7)..]);
        // After the descriptor and its colour table comes one byte, the code size, then the data.
        var data = at + 10 + ColourTable(file[at + 9]) + 1;
        return SkipSubBlocks(file, data) is null
            ? Bad(HeaderResult.Truncated)
            : new HeaderResult("GIF", new ImageHeader(ImageFormat.Gif, Math.Max(width, right), Math.Max(height, bottom)), null);
    }

    private static int ColourTable(byte flags) => (flags & 0x80) == 0 ? 0 : 3 << ((flags & 7) + 1);

    /// <summary>The place after the empty sub-block that ends a run of them; null if the file ends first.</summary>
    private static int? SkipSubBlocks(ReadOnlySpan<byte> file, int at)
    {
        while (at < file.Length)
        {
            var length = file[at];
            at += 1 + length;
            if (length == 0)
            {
                return at;
            }
        }

        return null;
    }

    private static HeaderResult Bad(string problem) => new("GIF", null, problem);
}

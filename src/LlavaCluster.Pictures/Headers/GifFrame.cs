using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>
/// The first frame of a GIF (GIF89a specification) and the screen it lies on. As in Pillow, a frame beyond the screen enlarges it, bytes that begin no block are
/// passed over, and the last colour that a control block names transparent before the frame is.
/// </summary>
/// <param name="Transparent">Its colour, or -1.</param>
internal readonly record struct GifFrame(int ScreenWidth, int ScreenHeight, int Left, int Top, int Width, int Height, int Transparent)
{
    private const byte Extension = 0x21;
    private const byte ImageBlock = 0x2C;
    private const byte Trailer = 0x3B;
    private const byte GraphicControl = 0xF9;
    private const int ScreenLength = 13;
    private const int ImageLength = 10;

    public required Range GlobalColours { get; init; }

    public required Range LocalColours { get; init; }

    public required bool Interlaced { get; init; }

    /// <summary>Bits of a colour in the coded data, 1 to 8.</summary>
    public required int CodeSize { get; init; }

    /// <summary>Where the coded data's first sub-block begins.</summary>
    public required int Data { get; init; }

    public static GifFrame? Find(ReadOnlySpan<byte> file, out string problem)
    {
        problem = HeaderResult.Truncated;
        var (at, transparent) = (ScreenLength + (file.Length < ScreenLength ? 0 : ColourBytes(file[10])), -1);
        while (at < file.Length && file[at] != Trailer)
        {
            if (file[at] == ImageBlock)
            {
                return Parse(file, at, transparent, ref problem);
            }

            if (file[at] != Extension)
            {
                at++;
                continue;
            }

            if (at + 1 < file.Length && file[at + 1] == GraphicControl && at + 7 < file.Length)
            {
                // A length of four: flags, two bytes of delay, the colour.
                if (file[at + 2] < 4)
                {
                    problem = HeaderResult.Malformed;
                    return null;
                }

                transparent = (file[at + 3] & 1) != 0 ? file[at + 6] : transparent;
            }

            if (SkipSubBlocks(file, at + 2) is not { } next)
            {
                return null;
            }

            at = next;
        }

        return null;
    }

    private static GifFrame? Parse(ReadOnlySpan<byte> file, int at, int transparent, ref string problem)
    {
        var codes = at + ImageLength + (at + ImageLength <= file.Length ? ColourBytes(file[at + 9]) : 0);
        if (SkipSubBlocks(file, codes + 1) is null)
        {
            return null;
        }

        var (left, top, width, height) = (UInt16(file, at + 1), UInt16(file, at + 3), UInt16(file, at + 5), UInt16(file, at + 7));
        if (width == 0 || height == 0 || file[codes] is 0 or > 8)
        {
            problem = HeaderResult.Malformed;
            return null;
        }

        return new GifFrame(Math.Max(UInt16(file, 6), left + width), Math.Max(UInt16(file, 8), top + height), left, top, width, height, transparent)
        {
            GlobalColours = ScreenLength..(ScreenLength + ColourBytes(file[10])),
            LocalColours = (at + ImageLength)..codes,
            Interlaced = (file[at + 9] & 0x40) != 0,
            CodeSize = file[codes],
            Data = codes + 1,
        };
    }

    private static int UInt16(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file[at..]);

    private static int ColourBytes(byte flags) => (flags & 0x80) == 0 ? 0 : 3 << ((flags & 7) + 1);

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
}

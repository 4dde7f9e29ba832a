using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>
/// How the rows of a BMP are stored: a file header of 14 bytes, then an OS/2 (12 bytes) or Windows (40 or more) header; a negative height means top-down rows.
/// The kinds that Pillow reads: palettes, 16 bits (5-5-5 or 5-6-5), 24, 32, run lengths.
/// </summary>
/// <param name="Red">Bits to shift a 16-bit pixel by, or the byte of a larger one.</param>
internal readonly record struct BmpLayout(int Width, int Height, bool TopDown, int Bits, bool RunLength, int Pixels, int Red, int Green, int Blue)
{
    private const int FileHeader = 14;
    private const int Os2Header = 12;
    private const int Raw = 0;
    private const int RunLength8 = 1;
    private const int RunLength4 = 2;
    private const int BitFields = 3;

    /// <summary>Blue, green, red entries, of <see cref="ColourBytes"/> each.</summary>
    public Range Colours { get; private init; }

    public int ColourBytes { get; private init; }

    public bool IsSixBitGreen => Bits == 16 && Red == 11;

    /// <summary>Bytes from row to row.</summary>
    public long Stride => (((long)Width * Bits) + 31) / 32 * 4;

    /// <summary>Bytes of a row without what fills it up to four.</summary>
    public long RowBytes => (((long)Width * Bits) + 7) / 8;

    public static BmpLayout? Parse(ReadOnlySpan<byte> file, out string problem)
    {
        problem = HeaderResult.Truncated;
        if (file.Length < FileHeader + Os2Header || BinaryPrimitives.ReadUInt32LittleEndian(file[FileHeader..]) is var length && length > file.Length - FileHeader)
        {
            return null;
        }

        problem = HeaderResult.Malformed;
        var info = file.Slice(FileHeader, (int)length);
        if (length == Os2Header)
        {
            return Finish(file, info, new BmpLayout(UInt16(info, 4), UInt16(info, 6), false, UInt16(info, 10), false, 0, 2, 1, 0) { ColourBytes = 3 }, Raw, 0, ref problem);
        }

        if (length is not (40 or 52 or 56 or 64 or 108 or 124))
        {
            return null;
        }

        var (width, height) = (Int32(info, 4), Int32(info, 8));
        if (width < 0 || height == int.MinValue)
        {
            return null;
        }

        var compression = Int32(info, 16);
        var layout = new BmpLayout(width, Math.Abs(height), height < 0, UInt16(info, 14), compression is RunLength8 or RunLength4, 0, 2, 1, 0) { ColourBytes = 4 };
        return Finish(file, info, layout, compression, Int32(info, 32), ref problem);
    }

    private static BmpLayout? Finish(ReadOnlySpan<byte> file, ReadOnlySpan<byte> info, BmpLayout layout, int compression, int colours, ref string problem)
    {
        // The channel masks of a 40-byte header follow it; larger ones hold them.
        var masks = compression == BitFields && info.Length == 40 ? 12 : 0;
        if (file.Length < FileHeader + info.Length + masks)
        {
            problem = HeaderResult.Truncated;
            return null;
        }

        problem = HeaderResult.Unsupported;
        if ((compression == BitFields ? layout.WithMasks(file[(FileHeader + 40)..], info.Length) : layout.WithDefaultChannels(compression)) is not { } known)
        {
            return null;
        }

        colours = colours == 0 ? 1 << Math.Min(known.Bits, 8) : colours;
        if (known.Bits <= 8 && colours is < 1 or > 256)
        {
            problem = HeaderResult.Malformed;
            return null;
        }

        var table = FileHeader + info.Length + masks;
        var afterTable = table + (known.Bits <= 8 ? colours * known.ColourBytes : 0);
        // Some writers leave out the palette, or the offset as a whole; Pillow looks behind the palette then.
        var stored = BinaryPrimitives.ReadUInt32LittleEndian(file[10..]);
        var pixels = stored == 0 || (known.Bits <= 8 && stored == FileHeader + info.Length) ? (uint)afterTable : stored;
        var needed = known.RunLength ? 1 : known.Height == 0 ? 0 : (known.Stride * (known.Height - 1)) + known.RowBytes;
        if (afterTable > file.Length || pixels > file.Length || needed > file.Length - pixels)
        {
            problem = HeaderResult.Truncated;
            return null;
        }

        return known with { Colours = table..afterTable, Pixels = (int)pixels };
    }

    private BmpLayout? WithDefaultChannels(int compression) => (compression, Bits) switch
    {
        (Raw, 1 or 4 or 8 or 24 or 32) or (RunLength8, 8) or (RunLength4, 4) => this,
        (Raw, 16) => this with { Red = 10, Green = 5, Blue = 0 },
        _ => null,
    };

    private BmpLayout? WithMasks(ReadOnlySpan<byte> masks, int infoLength)
    {
        // Headers of 40 and 52 bytes have no alpha mask; that of OS/2 (64) has other fields there, as Pillow reads it.
        var alpha = infoLength >= 56 ? (uint)Int32(masks, 12) : 0;
        return (Bits, (uint)Int32(masks, 0), (uint)Int32(masks, 4), (uint)Int32(masks, 8), alpha) switch
        {
            (32, 0xFF0000, 0xFF00, 0xFF, 0 or 0xFF000000) or (32, 0, 0, 0, 0) or (24, 0xFF0000, 0xFF00, 0xFF, _) => this with { Red = 2, Green = 1, Blue = 0 },
            (32, 0xFF000000, 0xFF0000, 0xFF00, 0 or 0xFF) => this with { Red = 3, Green = 2, Blue = 1 },
            (32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000) => this with { Red = 0, Green = 1, Blue = 2 },
            (16, 0xF800, 0x7E0, 0x1F, _) => this with { Red = 11, Green = 5, Blue = 0 },
            (16, 0x7C00, 0x3E0, 0x1F, _) => this with { Red = 10, Green = 5, Blue = 0 },
            _ => null,
        };
    }

    private static int Int32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);

    private static int UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
}

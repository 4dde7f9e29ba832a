using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>The orientation tag (CIPA DC-008, 0x0112) of the first directory of a TIFF block.</summary>
internal static class Exif
{
    public const int Upright = 1;

    private const int Tag = 0x0112;
    private const int EntryLength = 12;

    private static ReadOnlySpan<byte> Prefix => "Exif\0\0"u8;

    /// <returns>1 to 8; 1 where the block has no orientation or is damaged.</returns>
    public static int Orientation(ReadOnlySpan<byte> block)
    {
        var tiff = block.StartsWith(Prefix) ? block[Prefix.Length..] : block;
        var big = tiff.StartsWith("MM\0*"u8);
        if (tiff.Length < 8 || !(big || tiff.StartsWith("II*\0"u8)))
        {
            return Upright;
        }

        var directory = Number(tiff[4..], 4, big);
        if (directory > tiff.Length - 2)
        {
            return Upright;
        }

        var entries = tiff[((int)directory + 2)..];
        for (var left = Number(tiff[(int)directory..], 2, big); left > 0 && entries.Length >= EntryLength; left--, entries = entries[EntryLength..])
        {
            if (Number(entries, 2, big) == Tag)
            {
                return Number(entries[8..], 2, big) is >= 1 and <= 8 and var value ? (int)value : Upright;
            }
        }

        return Upright;
    }

    public static bool IsExif(ReadOnlySpan<byte> segment) => segment.StartsWith(Prefix);

    private static uint Number(ReadOnlySpan<byte> bytes, int length, bool big) => (length, big) switch
    {
        (2, true) => BinaryPrimitives.ReadUInt16BigEndian(bytes),
        (2, false) => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        (_, true) => BinaryPrimitives.ReadUInt32BigEndian(bytes),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
    };
}

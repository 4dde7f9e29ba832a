using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>How the rows of a PNG are stored: its header chunk.</summary>
/// <param name="Depth">Bits of a sample.</param>
internal readonly record struct PngLayout(int Width, int Height, int Depth, PngColour Colour, bool Interlaced)
{
    public const int Length = 13;

    public int Channels => Colour switch { PngColour.Rgb => 3, PngColour.GrayAlpha => 2, PngColour.Rgba => 4, _ => 1 };

    /// <summary>Null if it is no header that the standard allows.</summary>
    public static PngLayout? Parse(ReadOnlySpan<byte> header)
    {
        if (header.Length != Length || header[10] != 0 || header[11] != 0 || header[12] > 1)
        {
            return null;
        }

        var (width, height) = (BinaryPrimitives.ReadInt32BigEndian(header), BinaryPrimitives.ReadInt32BigEndian(header[4..]));
        var layout = new PngLayout(width, height, header[8], (PngColour)header[9], header[12] == 1);
        var allowed = layout.Colour switch
        {
            PngColour.Gray => layout.Depth is 1 or 2 or 4 or 8 or 16,
            PngColour.Palette => layout.Depth is 1 or 2 or 4 or 8,
            PngColour.Rgb or PngColour.GrayAlpha or PngColour.Rgba => layout.Depth is 8 or 16,
            _ => false,
        };
        return allowed && width >= 0 && height >= 0 ? layout : null;
    }
}

/// <summary>The colour type, by its number.</summary>
internal enum PngColour : byte
{
    Gray = 0,
    Rgb = 2,
    Palette = 3,
    GrayAlpha = 4,
    Rgba = 6,
}

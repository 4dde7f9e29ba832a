using LlavaCluster.Pictures.Headers;

namespace LlavaCluster.Pictures.Pixels;

/// <summary>A GIF's first frame on its screen. What the frame leaves free has its transparent colour, else colour 0.</summary>
internal static class GifPixels
{
    // First row and step of each pass of the interlacing (GIF89a, appendix E).
    private static readonly (int Top, int Down)[] Interlaced = [(0, 8), (4, 8), (2, 4), (1, 2)];
    private static readonly (int Top, int Down)[] Whole = [(0, 1)];

    /// <param name="file">One whose header was read.</param>
    public static PixelFault Read(ReadOnlySpan<byte> file, Span<byte> rgb)
    {
        var frame = GifFrame.Find(file, out _) ?? throw new ArgumentException("A GIF's pixels are read only after its header.", nameof(file));
        var palette = Palette.Grays(stackalloc byte[Palette.Bytes]);
        palette.Set(Colours(file, frame));
        if ((frame.Width, frame.Height) != (frame.ScreenWidth, frame.ScreenHeight))
        {
            Fill(palette, (byte)Math.Max(frame.Transparent, 0), rgb);
        }

        var lzw = new GifCodes(file[frame.Data..], frame.CodeSize);
        var row = new byte[frame.Width];
        foreach (var (top, down) in frame.Interlaced ? Interlaced : Whole)
        {
            for (var y = top; y < frame.Height; y += down)
            {
                if (lzw.Read(row) is not PixelFault.None and var fault)
                {
                    return fault;
                }

                palette.Paint(row, 8, row.Length, rgb[((((frame.Top + y) * frame.ScreenWidth) + frame.Left) * 3)..]);
            }
        }

        return PixelFault.None;
    }

    // Pillow takes a table of the grays 0, 1, 2, ... for none: the screen's colours count instead of such a frame's.
    private static ReadOnlySpan<byte> Colours(ReadOnlySpan<byte> file, GifFrame frame) =>
        IsRamp(file[frame.LocalColours]) ? file[frame.GlobalColours] : file[frame.LocalColours];

    private static bool IsRamp(ReadOnlySpan<byte> colours)
    {
        for (var i = 0; i < colours.Length; i++)
        {
            if (colours[i] != i / 3)
            {
                return false;
            }
        }

        return true;
    }

    private static void Fill(Palette palette, byte colour, Span<byte> rgb)
    {
        palette.Paint([colour], 8, 1, rgb);
        for (var i = 3; i < rgb.Length; i++)
        {
            rgb[i] = rgb[i - 3];
        }
    }
}

using System.IO.Compression;
using LlavaCluster.Pictures.Headers;

namespace LlavaCluster.Pictures.Pixels;

/// <summary>PNG's rows: inflated one at a time, unfiltered and put where their pass of the interlacing asks.</summary>
internal static class PngPixels
{
    // Adam7 (ISO/IEC 15948, 8.2): first column and row, then the steps to the next.
    private static readonly (int Left, int Top, int Across, int Down)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private static readonly (int Left, int Top, int Across, int Down)[] Whole = [(0, 0, 1, 1)];

    /// <param name="file">One whose header was read.</param>
    public static PixelFault Read(ReadOnlySpan<byte> file, Span<byte> rgb)
    {
        var palette = Palette.Grays(stackalloc byte[Palette.Bytes]);
        var (layout, data) = Collect(file, palette);
        if (layout.Colour == PngColour.Gray && layout.Depth < 8)
        {
            palette = Palette.Grays(stackalloc byte[Palette.Bytes], layout.Depth);
        }

        try
        {
            using var inflated = new ZLibStream(data, CompressionMode.Decompress);
            foreach (var pass in layout.Interlaced ? Adam7 : Whole)
            {
                if (!ReadPass(inflated, layout, pass, palette, rgb))
                {
                    return PixelFault.CutOff;
                }
            }

            // Reading on to the end compares the checksum; what lies beyond the last row is ignored.
            inflated.ReadByte();
            return PixelFault.None;
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException)
        {
            return PixelFault.Damaged;
        }
    }

    private static (PngLayout Layout, MemoryStream Data) Collect(ReadOnlySpan<byte> file, Palette palette)
    {
        var chunks = new PngFile(file);
        chunks.TryMove();
        var layout = PngLayout.Parse(chunks.Data) ?? throw new ArgumentException("A PNG's pixels are read only after its header.", nameof(file));
        var data = new MemoryStream();
        while (chunks.TryMove() && (data.Length == 0 || chunks.Is("IDAT"u8)))
        {
            if (chunks.Is("IDAT"u8))
            {
                data.Write(chunks.Data);
            }
            else if (chunks.Is("PLTE"u8) && layout.Colour == PngColour.Palette)
            {
                palette.Set(chunks.Data);
            }
        }

        data.Position = 0;
        return (layout, data);
    }

    private static bool ReadPass(ZLibStream inflated, PngLayout layout, (int Left, int Top, int Across, int Down) pass, Palette palette, Span<byte> rgb)
    {
        var count = (layout.Width - pass.Left + pass.Across - 1) / pass.Across;
        if (count <= 0)
        {
            return true;
        }

        var pixelBytes = Math.Max(1, layout.Channels * layout.Depth / 8);
        var rowBytes = (int)((((long)count * layout.Channels * layout.Depth) + 7) / 8);
        var (row, above) = (new byte[1 + rowBytes], new byte[1 + rowBytes]);
        for (var y = pass.Top; y < layout.Height; y += pass.Down)
        {
            if (inflated.ReadAtLeast(row, row.Length, throwOnEndOfStream: false) < row.Length)
            {
                return false;
            }

            PngFilter.Undo(row[0], row.AsSpan(1), above.AsSpan(1), pixelBytes);
            Paint(row.AsSpan(1), layout, count, palette, rgb[(((y * layout.Width) + pass.Left) * 3)..], pass.Across);
            (row, above) = (above, row);
        }

        return true;
    }

    private static void Paint(ReadOnlySpan<byte> row, PngLayout layout, int count, Palette palette, Span<byte> rgb, int step)
    {
        switch (layout)
        {
            case { Colour: PngColour.Palette } or { Colour: PngColour.Gray, Depth: <= 8 }:
                palette.Paint(row, layout.Depth, count, rgb, step);
                break;
            case { Colour: PngColour.Gray }:
                // Pillow holds these as 32-bit numbers, and those it clips.
                for (int i = 0, to = 0; i < count; i++, to += 3 * step)
                {
                    rgb.Slice(to, 3).Fill(row[2 * i] != 0 ? byte.MaxValue : row[(2 * i) + 1]);
                }

                break;
            default:
                var sample = layout.Depth / 8;
                var (green, blue) = layout.Colour == PngColour.GrayAlpha ? (0, 0) : (sample, 2 * sample);
                for (int i = 0, from = 0, to = 0; i < count; i++, from += layout.Channels * sample, to += 3 * step)
                {
                    (rgb[to], rgb[to + 1], rgb[to + 2]) = (row[from], row[from + green], row[from + blue]);
                }

                break;
        }
    }
}

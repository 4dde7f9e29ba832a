using System.Buffers.Binary;
using LlavaCluster.Pictures.Headers;

namespace LlavaCluster.Pictures.Pixels;

/// <summary>BMP's rows, bottom up unless the header says otherwise.</summary>
internal static class BmpPixels
{
    /// <param name="file">One whose header was read.</param>
    public static PixelFault Read(ReadOnlySpan<byte> file, Span<byte> rgb)
    {
        var layout = BmpLayout.Parse(file, out _) ?? throw new ArgumentException("A BMP's pixels are read only after its header.", nameof(file));
        var palette = Palette.Grays(stackalloc byte[Palette.Bytes]);
        if (layout.Bits <= 8)
        {
            palette.SetBgr(file[layout.Colours], layout.ColourBytes);
        }

        var rows = file[layout.Pixels..];
        var (depth, stride) = (layout.Bits, layout.Stride);
        if (layout.RunLength)
        {
            var indices = new byte[layout.Width * layout.Height];
            if (!BmpRuns.Read(file, layout, indices))
            {
                return PixelFault.CutOff;
            }

            rows = indices;
            (depth, stride) = (8, layout.Width);
        }

        for (var y = 0; y < layout.Height; y++)
        {
            var row = rows[(int)(y * stride)..];
            var to = rgb[((layout.TopDown ? y : layout.Height - 1 - y) * layout.Width * 3)..];
            if (depth <= 8)
            {
                palette.Paint(row, depth, layout.Width, to);
            }
            else
            {
                Paint(row, layout, to);
            }
        }

        return PixelFault.None;
    }

    private static void Paint(ReadOnlySpan<byte> row, BmpLayout layout, Span<byte> rgb)
    {
        var bytes = layout.Bits / 8;
        var greens = layout.IsSixBitGreen ? 63 : 31;
        for (int x = 0, from = 0, to = 0; x < layout.Width; x++, from += bytes, to += 3)
        {
            if (bytes > 2)
            {
                (rgb[to], rgb[to + 1], rgb[to + 2]) = (row[from + layout.Red], row[from + layout.Green], row[from + layout.Blue]);
                continue;
            }

            var pixel = BinaryPrimitives.ReadUInt16LittleEndian(row[from..]);
            rgb[to] = (byte)(((pixel >> layout.Red) & 31) * 255 / 31);
            rgb[to + 1] = (byte)(((pixel >> layout.Green) & greens) * 255 / greens);
            rgb[to + 2] = (byte)(((pixel >> layout.Blue) & 31) * 255 / 31);
        }
    }
}

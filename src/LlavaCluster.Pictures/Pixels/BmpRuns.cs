using LlavaCluster.Pictures.Headers;

namespace LlavaCluster.Pictures.Pixels;

/// <summary>
/// BMP's run lengths (RLE4 and RLE8) as indices, row after row. Like Pillow, a run ends with its row, and a bitmap that ends early is cut off; skips and odd runs of
/// half bytes go by Microsoft's description, which Pillow misreads.
/// </summary>
internal static class BmpRuns
{
    private const byte EndOfLine = 0;
    private const byte EndOfBitmap = 1;
    private const byte Skip = 2;

    /// <param name="indices">Zero before.</param>
    /// <returns>Whether every pixel was given.</returns>
    public static bool Read(ReadOnlySpan<byte> file, BmpLayout layout, Span<byte> indices)
    {
        var (at, place, column) = (layout.Pixels, 0L, 0L);
        while (place < indices.Length && at + 1 < file.Length)
        {
            var (count, value) = (file[at], file[at + 1]);
            at += 2;
            if (count > 0)
            {
                var fits = (int)Math.Clamp(layout.Width - column, 0, count);
                Put([value], Math.Min(fits, (int)(indices.Length - place)), layout.Bits, repeats: true, indices[(int)place..]);
                (place, column) = (place + fits, column + fits);
            }
            else if (value == EndOfLine)
            {
                (place, column) = ((place + layout.Width - 1) / layout.Width * layout.Width, 0);
            }
            else if (value == EndOfBitmap)
            {
                break;
            }
            else if (value == Skip)
            {
                if (at + 1 >= file.Length)
                {
                    break;
                }

                place += file[at] + ((long)file[at + 1] * layout.Width);
                column = place % layout.Width;
                at += 2;
            }
            else
            {
                var bytes = ((value * layout.Bits) + 7) / 8;
                if (bytes > file.Length - at)
                {
                    break;
                }

                Put(file.Slice(at, bytes), (int)Math.Min(value, indices.Length - place), layout.Bits, repeats: false, indices[(int)place..]);
                (place, column) = (place + value, column + value);
                // Padded to an even place.
                at += bytes + ((at + bytes) & 1);
            }
        }

        return place >= indices.Length;
    }

    private static void Put(ReadOnlySpan<byte> packed, int count, int bits, bool repeats, Span<byte> indices)
    {
        for (var i = 0; i < count; i++)
        {
            var value = packed[repeats ? 0 : i * bits / 8];
            indices[i] = bits == 8 ? value : (byte)((i & 1) == 0 ? value >> 4 : value & 15);
        }
    }
}

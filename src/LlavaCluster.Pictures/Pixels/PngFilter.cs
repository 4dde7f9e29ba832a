namespace LlavaCluster.Pictures.Pixels;

/// <summary>PNG's row filters (ISO/IEC 15948, 9.2): each byte was stored less a guess from the pixel to the left, the row above, or both.</summary>
internal static class PngFilter
{
    /// <exception cref="InvalidDataException">There is no such filter.</exception>
    public static void Undo(byte filter, Span<byte> row, ReadOnlySpan<byte> above, int pixelBytes)
    {
        above = above[..row.Length];
        switch (filter)
        {
            case 0:
                break;
            case 1:
                for (var i = pixelBytes; i < row.Length; i++)
                {
                    row[i] += row[i - pixelBytes];
                }

                break;
            case 2:
                for (var i = 0; i < row.Length; i++)
                {
                    row[i] += above[i];
                }

                break;
            case 3:
                for (var i = 0; i < row.Length; i++)
                {
                    row[i] += (byte)(((i < pixelBytes ? 0 : row[i - pixelBytes]) + above[i]) / 2);
                }

                break;
            case 4:
                for (var i = 0; i < row.Length; i++)
                {
                    row[i] += i < pixelBytes ? above[i] : Nearest(row[i - pixelBytes], above[i], above[i - pixelBytes]);
                }

                break;
            default:
                throw new InvalidDataException($"A PNG row's filter must be 0 to 4; was {filter}.");
        }
    }

    // Paeth's predictor: of the three neighbours the one nearest to left + above - corner.
    private static byte Nearest(int left, int above, int corner)
    {
        var (toLeft, toAbove) = (Math.Abs(above - corner), Math.Abs(left - corner));
        var toCorner = Math.Abs(left + above - (2 * corner));
        return (byte)(toLeft <= toAbove && toLeft <= toCorner ? left : toAbove <= toCorner ? above : corner);
    }
}

namespace LlavaCluster.Pictures.Headers;

/// <summary>PNG: a signature, then chunks, the header first, and pixel data among them. Whole if its end chunk is there.</summary>
internal static class PngHeader
{
    private const int MostPaletteBytes = 3 * 256;

    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith(PngFile.Signature);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        var chunks = new PngFile(file);
        if (!chunks.TryMove())
        {
            return Bad(HeaderResult.Truncated);
        }

        if (!chunks.Is("IHDR"u8) || PngLayout.Parse(chunks.Data) is not { } layout || !chunks.IsIntact())
        {
            return Bad(HeaderResult.Malformed);
        }

        var (data, palette, orientation) = (false, false, Exif.Upright);
        while (chunks.TryMove())
        {
            if (chunks.Is("IEND"u8))
            {
                return data ? new HeaderResult(ImageFormat.Png, new ImageHeader(ImageFormat.Png, layout.Width, layout.Height, orientation), null) : Bad(HeaderResult.Truncated);
            }

            if (chunks.Is("IHDR"u8) || (chunks.Is("PLTE"u8) && (palette || !IsPalette(chunks))))
            {
                return Bad(HeaderResult.Malformed);
            }

            palette |= chunks.Is("PLTE"u8);
            data |= chunks.Is("IDAT"u8);
            orientation = chunks.Is("eXIf"u8) ? Exif.Orientation(chunks.Data) : orientation;
        }

        return Bad(HeaderResult.Truncated);
    }

    private static bool IsPalette(PngFile chunk) => chunk.Data.Length is > 0 and <= MostPaletteBytes && chunk.Data.Length % 3 == 0 && chunk.IsIntact();

    private static HeaderResult Bad(string problem) => new(ImageFormat.Png, null, problem);
}

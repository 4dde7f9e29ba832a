using LlavaCluster.Pictures;

namespace LlavaCluster.Model.Imaging;

/// <summary>
/// Picture files to RGB as Pillow's <c>convert("RGB")</c> makes them: the first frame, transparency dropped and not blended. The header is read and bounded before any
/// pixel is decoded. Thread-safe; decoding takes milliseconds, for which a server has better threads than its pool's.
/// </summary>
public static class ImageDecoder
{
    /// <param name="applyOrientation">Turns the picture upright by its EXIF tag; the reference does not.</param>
    public static ImageDecoding Decode(ReadOnlySpan<byte> file, HeaderLimits limits, bool applyOrientation = false)
    {
        if (!ImageHeader.TryRead(file, limits, out var header, out var problem))
        {
            return ImageDecoding.Refused("a picture " + problem);
        }

        var pixels = new byte[header.Pixels * 3];
        return (PixelReader.Reads(header.Format) ? PixelReader.Read(file, header, pixels) : SkiaPixels.Read(file, header, pixels)) switch
        {
            PixelFault.CutOff => ImageDecoding.Refused($"a picture must be a whole {header.FormatName} file; its pixels are cut off."),
            PixelFault.Damaged => ImageDecoding.Refused($"a picture must be a readable {header.FormatName} file; its pixels are damaged."),
            _ => ImageDecoding.Of(Orientation.Apply(new RgbImage(header.Width, header.Height, pixels), applyOrientation ? header.Orientation : 1)),
        };
    }

    /// <summary>A picture's size from its header, in the orientation in which it would be decoded; or why it is refused.</summary>
    public static (int Width, int Height, string? Refusal) Measure(ReadOnlySpan<byte> file, HeaderLimits limits, bool applyOrientation = false)
    {
        if (!ImageHeader.TryRead(file, limits, out var header, out var problem))
        {
            return (0, 0, "a picture " + problem);
        }

        var (width, height) = applyOrientation ? header.Upright : (header.Width, header.Height);
        return (width, height, null);
    }
}

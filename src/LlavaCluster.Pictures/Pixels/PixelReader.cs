using LlavaCluster.Pictures.Pixels;

namespace LlavaCluster.Pictures;

/// <summary>
/// The pixels of the formats that need no codec of others: PNG, GIF and BMP, as Pillow's <c>convert("RGB")</c> makes them (9.4): the first frame, transparency
/// dropped and not blended, 16-bit gray cut off at 255 while 16-bit colours keep their high byte. Not turned by orientation.
/// </summary>
public static class PixelReader
{
    public static bool Reads(ImageFormat format) => format is ImageFormat.Png or ImageFormat.Gif or ImageFormat.Bmp;

    /// <param name="file">The file <paramref name="header"/> was read from.</param>
    /// <param name="rgb">[height, width, 3], zero before; undefined after a fault.</param>
    public static PixelFault Read(ReadOnlySpan<byte> file, ImageHeader header, Span<byte> rgb)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rgb.Length, header.Pixels * 3);
        return header.Format switch
        {
            ImageFormat.Png => PngPixels.Read(file, rgb),
            ImageFormat.Gif => GifPixels.Read(file, rgb),
            ImageFormat.Bmp => BmpPixels.Read(file, rgb),
            _ => throw new ArgumentException($"A {header.Format} file's pixels are not read here.", nameof(header)),
        };
    }
}

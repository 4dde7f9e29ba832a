using LlavaCluster.Pictures;
using SkiaSharp;

namespace LlavaCluster.Model.Imaging;

/// <summary>JPEG's and WebP's pixels by the codecs in Skia, which are Pillow's too: equal bytes, also of CMYK and of an animation's first frame.</summary>
internal static class SkiaPixels
{
    /// <param name="rgb">[height, width, 3].</param>
    public static PixelFault Read(ReadOnlySpan<byte> file, ImageHeader header, Span<byte> rgb)
    {
        using var data = SKData.CreateCopy(file);
        using var codec = SKCodec.Create(data);
        // Another size than the header's could only come of a file made to be read in two ways.
        if (codec is null || (codec.Info.Width, codec.Info.Height) != (header.Width, header.Height))
        {
            return PixelFault.Damaged;
        }

        var info = new SKImageInfo(header.Width, header.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        using var bitmap = new SKBitmap(info);
        var result = codec.GetPixels(info, bitmap.GetPixels());
        if (result != SKCodecResult.Success)
        {
            return result == SKCodecResult.IncompleteInput ? PixelFault.CutOff : PixelFault.Damaged;
        }

        DropAlpha(bitmap.GetPixelSpan(), rgb);
        return PixelFault.None;
    }

    private static void DropAlpha(ReadOnlySpan<byte> rgba, Span<byte> rgb)
    {
        for (int from = 0, to = 0; to < rgb.Length; from += 4, to += 3)
        {
            rgb[to] = rgba[from];
            rgb[to + 1] = rgba[from + 1];
            rgb[to + 2] = rgba[from + 2];
        }
    }
}

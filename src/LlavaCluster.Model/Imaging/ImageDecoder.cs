using SkiaSharp;

namespace LlavaCluster.Model.Imaging;

/// <summary>
/// Picture files to RGB as Pillow's <c>convert("RGB")</c> makes them: the first frame, transparency dropped and not blended. The header is read and bounded before any
/// pixel is decoded. Thread-safe; call it off the thread pool, decoding takes milliseconds.
/// </summary>
public static class ImageDecoder
{
    private static readonly SKEncodedImageFormat[] Accepted =
        [SKEncodedImageFormat.Png, SKEncodedImageFormat.Jpeg, SKEncodedImageFormat.Webp, SKEncodedImageFormat.Gif, SKEncodedImageFormat.Bmp];

    /// <param name="applyOrientation">Turns the picture upright by its EXIF tag; the reference does not.</param>
    public static ImageDecoding Decode(ReadOnlySpan<byte> file, ImageLimits limits, bool applyOrientation = false)
    {
        if (file.Length > limits.MaxBytes)
        {
            return ImageDecoding.Refused($"a picture must be <= {limits.MaxBytes} bytes; was {file.Length}.");
        }

        using var data = SKData.CreateCopy(file);
        using var codec = SKCodec.Create(data);
        if (codec is null || !Accepted.Contains(codec.EncodedFormat))
        {
            return ImageDecoding.Refused("a picture must be a PNG, JPEG, WebP, GIF or BMP file; this is none.");
        }

        return CheckSize(codec.Info, limits) is { } refusal ? ImageDecoding.Refused(refusal) : ReadPixels(codec, applyOrientation);
    }

    /// <summary>A picture's size from its header, in the orientation in which it would be decoded; or why it is refused.</summary>
    public static (int Width, int Height, string? Refusal) Measure(ReadOnlySpan<byte> file, ImageLimits limits, bool applyOrientation = false)
    {
        using var data = SKData.CreateCopy(file);
        using var codec = SKCodec.Create(data);
        if (codec is null || !Accepted.Contains(codec.EncodedFormat))
        {
            return (0, 0, "a picture must be a PNG, JPEG, WebP, GIF or BMP file; this is none.");
        }

        var turned = applyOrientation && codec.EncodedOrigin is (SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom);
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        return (turned ? height : width, turned ? width : height, CheckSize(codec.Info, limits));
    }

    private static string? CheckSize(SKImageInfo info, ImageLimits limits)
    {
        var (width, height) = (info.Width, info.Height);
        return Math.Max(width, height) > limits.MaxSide ? $"a picture's sides must be <= {limits.MaxSide} pixels; was {width} x {height}."
            : Math.Max(width, height) > (long)Math.Min(width, height) * limits.MaxAspect ? $"a picture's longer side must be <= {limits.MaxAspect} times its shorter; was {width} x {height}."
            : (long)width * height > limits.MaxPixels ? $"a picture must have <= {limits.MaxPixels} pixels; was {width} x {height}."
            : null;
    }

    private static ImageDecoding ReadPixels(SKCodec codec, bool applyOrientation)
    {
        var info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        using var bitmap = new SKBitmap(info);
        var result = codec.GetPixels(info, bitmap.GetPixels());
        if (result != SKCodecResult.Success)
        {
            return ImageDecoding.Refused(result == SKCodecResult.IncompleteInput ? "a picture must be whole; this file is cut off." : "a picture must be readable; this file is damaged.");
        }

        var image = DropAlpha(bitmap.GetPixelSpan(), info.Width, info.Height);
        return ImageDecoding.Of(applyOrientation ? Orientation.Apply(image, codec.EncodedOrigin) : image);
    }

    private static RgbImage DropAlpha(ReadOnlySpan<byte> rgba, int width, int height)
    {
        var pixels = new byte[width * height * 3];
        for (int from = 0, to = 0; to < pixels.Length; from += 4, to += 3)
        {
            pixels[to] = rgba[from];
            pixels[to + 1] = rgba[from + 1];
            pixels[to + 2] = rgba[from + 2];
        }

        return new RgbImage(width, height, pixels);
    }
}

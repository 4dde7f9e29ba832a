using System.Diagnostics.CodeAnalysis;

namespace LlavaCluster.Gateway.Images;

internal enum ImageFormat
{
    Png,
    Jpeg,
    WebP,
    Gif,
    Bmp,
}

/// <summary>
/// What a picture's file says of itself, read without decoding a pixel. A file is refused here if its structure ends before its data does.
/// Reads any bytes in time linear in their number and never throws.
/// </summary>
internal sealed record ImageHeader(ImageFormat Format, int Width, int Height)
{
    public string MediaType => Format switch
    {
        ImageFormat.Png => "image/png",
        ImageFormat.Jpeg => "image/jpeg",
        ImageFormat.WebP => "image/webp",
        ImageFormat.Gif => "image/gif",
        _ => "image/bmp",
    };

    public long Pixels => (long)Width * Height;

    /// <param name="problem">What is wrong, to follow the field's name; constant texts, nothing of the file.</param>
    public static bool TryRead(ReadOnlySpan<byte> file, [NotNullWhen(true)] out ImageHeader? header, [NotNullWhen(false)] out string? problem)
    {
        header = null;
        HeaderResult result;
        if (PngHeader.Matches(file))
        {
            result = PngHeader.Read(file);
        }
        else if (JpegHeader.Matches(file))
        {
            result = JpegHeader.Read(file);
        }
        else if (WebPHeader.Matches(file))
        {
            result = WebPHeader.Read(file);
        }
        else if (GifHeader.Matches(file))
        {
            result = GifHeader.Read(file);
        }
        else if (BmpHeader.Matches(file))
        {
            result = BmpHeader.Read(file);
        }
        else
        {
            problem = "must be a PNG, JPEG, WebP, GIF or BMP file.";
            return false;
        }

        header = result.Header is { Width: > 0, Height: > 0 } ? result.Header : null;
        problem = header is null ? $"must be a whole {result.Name} file; its {result.Problem ?? "size is zero"}." : null;
        return header is not null;
    }
}

/// <summary>A format reader's answer: a header, or what is wrong.</summary>
internal readonly record struct HeaderResult(string Name, ImageHeader? Header, string? Problem)
{
    public const string Truncated = "data ends too early";
    public const string Malformed = "header is malformed";
}

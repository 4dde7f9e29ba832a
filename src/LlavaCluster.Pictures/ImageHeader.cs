using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using LlavaCluster.Pictures.Headers;

namespace LlavaCluster.Pictures;

/// <summary>
/// What a picture's file says of itself, read without decoding a pixel. A file is refused here if its structure ends before its data does, if it breaks a
/// bound, or if it is of a kind no decoder here reads. Reads any bytes in time linear in their number and never throws.
/// </summary>
/// <param name="Width">As stored, before <paramref name="Orientation"/>.</param>
/// <param name="Height">As stored, before <paramref name="Orientation"/>.</param>
/// <param name="Orientation">EXIF's, 1 to 8; 1 where there is none.</param>
/// <param name="Scans">Passes over the picture that the file asks a decoder for: 1 but for JPEG.</param>
public sealed record ImageHeader(ImageFormat Format, int Width, int Height, int Orientation = 1, int Scans = 1)
{
    public string MediaType => Format switch
    {
        ImageFormat.Png => "image/png",
        ImageFormat.Jpeg => "image/jpeg",
        ImageFormat.WebP => "image/webp",
        ImageFormat.Gif => "image/gif",
        _ => "image/bmp",
    };

    /// <summary>The format as people write it.</summary>
    public string FormatName => NameOf(Format);

    public long Pixels => (long)Width * Height;

    /// <summary>The size once the picture is turned as its orientation asks.</summary>
    public (int Width, int Height) Upright => Orientation >= 5 ? (Height, Width) : (Width, Height);

    /// <param name="problem">The rule that is broken and the value, to follow the field's name: "must be at most ..."; nothing else of the file.</param>
    public static bool TryRead(ReadOnlySpan<byte> file, HeaderLimits limits, [NotNullWhen(true)] out ImageHeader? header, [NotNullWhen(false)] out string? problem)
    {
        header = null;
        if (file.Length > limits.MaxBytes)
        {
            problem = Invariant($"must be at most {limits.MaxBytes} bytes; was {file.Length}.");
            return false;
        }

        if (Read(file) is not { } result)
        {
            problem = "must be a PNG, JPEG, WebP, GIF or BMP file.";
            return false;
        }

        problem = result.Header is { Width: > 0, Height: > 0 } read
            ? Check(read, limits)
            : $"must be a whole {NameOf(result.Format)} file; its {result.Problem ?? "size is zero"}.";
        header = problem is null ? result.Header : null;
        return header is not null;
    }

    private static HeaderResult? Read(ReadOnlySpan<byte> file) =>
        PngHeader.Matches(file) ? PngHeader.Read(file)
        : JpegHeader.Matches(file) ? JpegHeader.Read(file)
        : WebPHeader.Matches(file) ? WebPHeader.Read(file)
        : GifHeader.Matches(file) ? GifHeader.Read(file)
        : BmpHeader.Matches(file) ? BmpHeader.Read(file)
        : null;

    private static string? Check(ImageHeader header, HeaderLimits limits) =>
        Math.Max(header.Width, header.Height) > limits.MaxSide ? Invariant($"must have sides of at most {limits.MaxSide} pixels; was {header.Width}x{header.Height}.")
        : header.Pixels > limits.MaxPixels ? Invariant($"must have at most {limits.MaxPixels} pixels; was {header.Width}x{header.Height}.")
        : header.Scans > limits.MaxScans ? Invariant($"must have at most {limits.MaxScans} scans; was {header.Scans}.")
        : null;

    private static string NameOf(ImageFormat format) => format is ImageFormat.WebP ? "WebP" : format.ToString().ToUpperInvariant();

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

using SkiaSharp;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// One decoded picture, cropped to what is visible and kept at several sizes, so that drawing samples from a size near
/// the wanted one and neither aliases nor blurs. Immutable, thread-safe.
/// </summary>
internal sealed class Artwork
{
    /// <summary>Alpha (0-255) from which a pixel counts as drawn: boxes, overlap and dense labels use the same bound.</summary>
    public const int VisibleAlpha = 128;

    private static readonly int[] Sides = [16, 24, 32, 48, 64, 96, 128];

    private Artwork(IReadOnlyList<ArtworkLevel> levels) => Levels = levels;

    /// <summary>From small to large; the last is the largest the source supports.</summary>
    public IReadOnlyList<ArtworkLevel> Levels { get; }

    /// <exception cref="InvalidDataException">The bytes are no picture, or nothing in it is visible.</exception>
    public static Artwork Decode(ReadOnlyMemory<byte> encoded, string name)
    {
        using var data = SKData.CreateCopy(encoded.Span);
        using var decoded = SKBitmap.Decode(data) ?? throw new InvalidDataException($"The artwork '{name}' is no picture.");
        using var bitmap = decoded.Copy(SKColorType.Rgba8888);
        var bounds = VisibleBounds(bitmap) ?? throw new InvalidDataException($"The artwork '{name}' has no visible pixel.");
        using var cropped = new SKBitmap(new SKImageInfo(bounds.Width, bounds.Height, SKColorType.Rgba8888, SKAlphaType.Premul));
        using (var canvas = new SKCanvas(cropped))
        {
            canvas.Clear(SKColors.Transparent);
            canvas.DrawBitmap(bitmap, -bounds.Left, -bounds.Top, new SKSamplingOptions(SKFilterMode.Nearest));
        }

        var longest = Math.Max(cropped.Width, cropped.Height);
        var levels = Sides.Where(side => side < longest).Append(Math.Min(longest, Sides[^1])).Distinct();
        return new Artwork([.. levels.Select(side => Scale(cropped, side))]);
    }

    /// <summary>The smallest level at least as large as <paramref name="side"/> (longest side in pixels), or the largest.</summary>
    public ArtworkLevel LevelFor(float side)
    {
        foreach (var level in Levels)
        {
            if (level.LongestSide >= side)
            {
                return level;
            }
        }

        return Levels[^1];
    }

    private static ArtworkLevel Scale(SKBitmap source, int side)
    {
        var scale = side / (float)Math.Max(source.Width, source.Height);
        var width = Math.Max(1, (int)MathF.Round(source.Width * scale));
        var height = Math.Max(1, (int)MathF.Round(source.Height * scale));
        using var scaled = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Premul));
        if (!source.ScalePixels(scaled, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear)))
        {
            throw new InvalidOperationException($"Scaling artwork to {width}x{height} failed.");
        }

        return new ArtworkLevel(width, height, scaled.GetPixelSpan().ToArray());
    }

    private static SKRectI? VisibleBounds(SKBitmap bitmap)
    {
        var pixels = bitmap.GetPixelSpan();
        int left = bitmap.Width, top = bitmap.Height, right = -1, bottom = -1;
        for (var y = 0; y < bitmap.Height; y++)
        {
            for (var x = 0; x < bitmap.Width; x++)
            {
                if (pixels[y * bitmap.RowBytes + x * 4 + 3] >= VisibleAlpha)
                {
                    (left, top) = (Math.Min(left, x), Math.Min(top, y));
                    (right, bottom) = (Math.Max(right, x), Math.Max(bottom, y));
                }
            }
        }

        return right < 0 ? null : new SKRectI(left, top, right + 1, bottom + 1);
    }
}

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// One object turned, scaled, mirrored and recoloured: premultiplied RGBA floats (0-255) and the tight box of its visible pixels.
/// The buffer is reused; it holds the object drawn last.
/// </summary>
internal sealed class Sprite(int largestSide)
{
    // A square turned by 45 degrees is sqrt(2) wider; two pixels more for the soft edge.
    private readonly int _capacity = (int)(largestSide * 1.5f) + 4;

    public float[] Pixels { get; private set; } = [];

    public int Width { get; private set; }

    public int Height { get; private set; }

    /// <summary>Tight box of alpha >= <see cref="Artwork.VisibleAlpha"/>, inside the sprite.</summary>
    public BoundingBox Visible { get; private set; }

    /// <summary>Rasterises by inverse mapping with bilinear samples. Returns false when nothing is visible.</summary>
    /// <param name="artwork">What to draw.</param>
    /// <param name="side">Longest side in pixels before turning.</param>
    /// <param name="radians">Turn, clockwise on screen.</param>
    /// <param name="mirrored">Left and right swapped.</param>
    /// <param name="colours">Recolouring.</param>
    public bool Rasterise(Artwork artwork, float side, float radians, bool mirrored, ColourTransform colours)
    {
        var level = artwork.LevelFor(side);
        var scale = side / level.LongestSide;
        var (sin, cos) = MathF.SinCos(radians);
        var halfWidth = level.Width * scale / 2;
        var halfHeight = level.Height * scale / 2;
        Resize(
            (int)MathF.Ceiling(2 * (halfWidth * MathF.Abs(cos) + halfHeight * MathF.Abs(sin))) + 2,
            (int)MathF.Ceiling(2 * (halfWidth * MathF.Abs(sin) + halfHeight * MathF.Abs(cos))) + 2);

        int left = Width, top = Height, right = -1, bottom = -1;
        Span<float> sample = stackalloc float[4];
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
            {
                var (dx, dy) = (x + 0.5f - Width / 2f, y + 0.5f - Height / 2f);
                var sourceX = (cos * dx + sin * dy) / scale * (mirrored ? -1 : 1) + level.Width / 2f - 0.5f;
                var sourceY = (cos * dy - sin * dx) / scale + level.Height / 2f - 0.5f;
                SampleBilinear(level, sourceX, sourceY, sample);
                colours.Apply(sample);
                sample.CopyTo(Pixels.AsSpan((y * Width + x) * 4, 4));
                if (sample[3] >= Artwork.VisibleAlpha)
                {
                    (left, top) = (Math.Min(left, x), Math.Min(top, y));
                    (right, bottom) = (Math.Max(right, x), Math.Max(bottom, y));
                }
            }
        }

        Visible = new BoundingBox(left, top, right - left + 1, bottom - top + 1);
        return right >= 0;
    }

    private void Resize(int width, int height)
    {
        if (width > _capacity || height > _capacity)
        {
            throw new InvalidOperationException($"A sprite of {width}x{height} exceeds the {_capacity} pixels made for it.");
        }

        (Width, Height) = (width, height);
        if (Pixels.Length < width * height * 4)
        {
            Pixels = new float[width * height * 4];
        }
    }

    private static void SampleBilinear(ArtworkLevel level, float x, float y, Span<float> sample)
    {
        sample.Clear();
        var x0 = (int)MathF.Floor(x);
        var y0 = (int)MathF.Floor(y);
        if (x0 < -1 || y0 < -1 || x0 >= level.Width || y0 >= level.Height)
        {
            return;
        }

        var (fx, fy) = (x - x0, y - y0);
        Accumulate(level, x0, y0, (1 - fx) * (1 - fy), sample);
        Accumulate(level, x0 + 1, y0, fx * (1 - fy), sample);
        Accumulate(level, x0, y0 + 1, (1 - fx) * fy, sample);
        Accumulate(level, x0 + 1, y0 + 1, fx * fy, sample);
    }

    private static void Accumulate(ArtworkLevel level, int x, int y, float weight, Span<float> sample)
    {
        if ((uint)x >= (uint)level.Width || (uint)y >= (uint)level.Height)
        {
            return;
        }

        var pixel = level.Pixels.AsSpan((y * level.Width + x) * 4, 4);
        for (var channel = 0; channel < 4; channel++)
        {
            sample[channel] += weight * pixel[channel];
        }
    }
}

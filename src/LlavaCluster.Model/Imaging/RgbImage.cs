namespace LlavaCluster.Model.Imaging;

/// <summary>A picture as 8-bit RGB, [height, width, 3] without gaps.</summary>
public sealed class RgbImage
{
    public RgbImage(int width, int height, byte[] pixels)
    {
        if (pixels.Length != width * height * 3)
        {
            throw new ArgumentException($"A picture of {width} x {height} has {width * height * 3} bytes; there were {pixels.Length}.", nameof(pixels));
        }

        Width = width;
        Height = height;
        Pixels = pixels;
    }

    public int Width { get; }

    public int Height { get; }

    public byte[] Pixels { get; }

    /// <summary>A picture of one colour.</summary>
    public static RgbImage Filled(int width, int height, (byte Red, byte Green, byte Blue) colour)
    {
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i += 3)
        {
            (pixels[i], pixels[i + 1], pixels[i + 2]) = colour;
        }

        return new RgbImage(width, height, pixels);
    }

    /// <summary>Copies the part of <paramref name="source"/> that falls on this picture when its corner is put at (left, top), which may be negative.</summary>
    public void Paste(RgbImage source, int left, int top)
    {
        var (from, to) = (Math.Max(0, -left), Math.Min(source.Width, Width - left));
        for (var y = Math.Max(0, -top); y < Math.Min(source.Height, Height - top) && to > from; y++)
        {
            source.Pixels.AsSpan(((y * source.Width) + from) * 3, (to - from) * 3).CopyTo(Pixels.AsSpan((((y + top) * Width) + left + from) * 3));
        }
    }

    /// <summary>The window whose corner is (left, top); black where it lies outside.</summary>
    public RgbImage Window(int left, int top, int width, int height)
    {
        var window = new RgbImage(width, height, new byte[width * height * 3]);
        window.Paste(this, -left, -top);
        return window;
    }
}

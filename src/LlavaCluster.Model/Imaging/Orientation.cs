namespace LlavaCluster.Model.Imaging;

/// <summary>Turns a picture upright by its EXIF orientation (CIPA DC-008, tag 0x0112).</summary>
internal static class Orientation
{
    /// <param name="orientation">1 to 8.</param>
    public static RgbImage Apply(RgbImage image, int orientation)
    {
        var (width, height) = (image.Width, image.Height);
        return orientation switch
        {
            2 => Map(image, width, height, (x, y) => (width - 1 - x, y)),
            3 => Map(image, width, height, (x, y) => (width - 1 - x, height - 1 - y)),
            4 => Map(image, width, height, (x, y) => (x, height - 1 - y)),
            5 => Map(image, height, width, (x, y) => (y, x)),
            6 => Map(image, height, width, (x, y) => (y, height - 1 - x)),
            7 => Map(image, height, width, (x, y) => (width - 1 - y, height - 1 - x)),
            8 => Map(image, height, width, (x, y) => (width - 1 - y, x)),
            _ => image,
        };
    }

    private static RgbImage Map(RgbImage image, int width, int height, Func<int, int, (int X, int Y)> source)
    {
        var pixels = new byte[image.Pixels.Length];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (fromX, fromY) = source(x, y);
                image.Pixels.AsSpan(((fromY * image.Width) + fromX) * 3, 3).CopyTo(pixels.AsSpan(((y * width) + x) * 3));
            }
        }

        return new RgbImage(width, height, pixels);
    }
}

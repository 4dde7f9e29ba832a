using LlavaCluster.Model.Config;
using LlavaCluster.Model.Vision;

namespace LlavaCluster.Model.Imaging;

/// <summary>
/// Pictures to pixel values, equal to Hugging Face's slow processors (CLIPImageProcessor, LlavaImageProcessor, LlavaNextImageProcessor). No torch; thread-safe; takes
/// milliseconds, as <see cref="ImageDecoder"/> does.
/// </summary>
public sealed class ImagePreprocessor(LlavaConfig model, PreprocessingConfig config)
{
    public PreprocessingConfig Config { get; } = config;

    public PreparedImage Prepare(RgbImage image)
    {
        var tiles = Tiles(image);
        var layout = AnyresGrid.Layout(model, image.Height, image.Width);
        var pixels = new float[tiles.Count * 3 * Config.TileSize * Config.TileSize];
        for (var i = 0; i < tiles.Count; i++)
        {
            Normalise(tiles[i], pixels.AsSpan(i * (pixels.Length / tiles.Count)));
        }

        return new PreparedImage(pixels, layout, TokensOf(image.Height, image.Width));
    }

    /// <summary>Features a picture of this size takes, known without its pixels.</summary>
    public int TokensOf(int height, int width)
    {
        var layout = AnyresGrid.Layout(model, height, width);
        return layout.IsGrid ? layout.Tokens(model.TokensPerTile) : model.TokensPerTile + (model.Family == ModelFamily.LlavaNext ? 1 : 0);
    }

    /// <summary>The 8-bit tiles, before normalisation.</summary>
    internal IReadOnlyList<RgbImage> Tiles(RgbImage image) => Config.Fit switch
    {
        ImageFit.Anyres => Grid(image),
        ImageFit.Pad => [ResizeAndCrop(OnSquare(image))],
        _ => [ResizeAndCrop(new Plane(image))],
    };

    internal RgbImage ResizeShortest(RgbImage image)
    {
        var (width, height) = Resized(image.Width, image.Height);
        return PillowResize.Bicubic(image, width, height);
    }

    /// <summary>The size once the shorter edge is what it must be.</summary>
    private (int Width, int Height) Resized(int width, int height)
    {
        var edge = Config.ShortestEdge;
        return width <= height
            ? (edge, checked((int)((long)edge * height / width)))
            : (checked((int)((long)edge * width / height)), edge);
    }

    // A thin picture's resized whole may be thousands of tiles: only the one in the middle is made.
    private RgbImage ResizeAndCrop(Plane plane)
    {
        var (width, height) = Resized(plane.Width, plane.Height);
        // Halved downwards as Python does, also where the tile is the larger.
        return PillowResize.Bicubic(plane, width, height, (width - Config.TileSize) >> 1, (height - Config.TileSize) >> 1, Config.TileSize, Config.TileSize);
    }

    private Plane OnSquare(RgbImage image)
    {
        var side = Math.Max(image.Width, image.Height);
        return new Plane(image, side, side, ((byte)(Config.Mean[0] * 255), (byte)(Config.Mean[1] * 255), (byte)(Config.Mean[2] * 255)));
    }

    private List<RgbImage> Grid(RgbImage image)
    {
        var side = Config.TileSize;
        var grid = AnyresGrid.BestResolution(image.Height, image.Width, model.GridPinpoints);
        var (height, width) = AnyresGrid.Fit(image.Height, image.Width, grid);
        var canvas = new RgbImage(grid.Width, grid.Height, new byte[grid.Width * grid.Height * 3]); // black
        canvas.Paste(PillowResize.Bicubic(image, width, height), (grid.Width - width) / 2, (grid.Height - height) / 2);
        var tiles = new List<RgbImage> { PillowResize.Bicubic(image, side, side) };
        for (var y = 0; y < grid.Height; y += side)
        {
            for (var x = 0; x < grid.Width; x += side)
            {
                tiles.Add(canvas.Window(x, y, side, side));
            }
        }

        return tiles;
    }

    // [S, S, 3] bytes to [3, S, S] floats
    private void Normalise(RgbImage tile, Span<float> pixels)
    {
        var plane = tile.Width * tile.Height;
        Span<float> values = stackalloc float[256];
        for (var channel = 0; channel < 3; channel++)
        {
            float mean = (float)Config.Mean[channel], deviation = (float)Config.Deviation[channel];
            for (var i = 0; i < 256; i++)
            {
                values[i] = ((float)(i * Config.RescaleFactor) - mean) / deviation;
            }

            for (var i = 0; i < plane; i++)
            {
                pixels[(channel * plane) + i] = values[tile.Pixels[(i * 3) + channel]];
            }
        }
    }
}

using LlavaCluster.Model.Config;
using LlavaCluster.Model.Vision;

namespace LlavaCluster.Model.Imaging;

/// <summary>
/// LLaVA-NeXT's choice of a grid of tiles for a picture, and what of the grid's features is picture rather than padding. A function of the picture's size alone
/// (transformers, models/llava_next: select_best_resolution, unpad_image; the original layout truncates where transformers rounds to seven decimals first).
/// </summary>
public static class AnyresGrid
{
    private const int Decimals = 7;

    /// <summary>The candidate that keeps most of the picture's pixels, then wastes least, then comes first.</summary>
    public static (int Height, int Width) BestResolution(int height, int width, IReadOnlyList<(int Height, int Width)> candidates)
    {
        var (best, most, least) = (candidates[0], -1L, long.MaxValue);
        foreach (var candidate in candidates)
        {
            var scale = Math.Min((double)candidate.Width / width, (double)candidate.Height / height);
            var effective = Math.Min((long)(int)(width * scale) * (int)(height * scale), (long)width * height);
            var wasted = ((long)candidate.Width * candidate.Height) - effective;
            if (effective > most || (effective == most && wasted < least))
            {
                (best, most, least) = (candidate, effective, wasted);
            }
        }

        return best;
    }

    /// <summary>How a picture of this size is laid out in features. <see cref="TileLayout.Single"/> for models that do not tile.</summary>
    public static TileLayout Layout(LlavaConfig config, int height, int width)
    {
        if (config.GridPinpoints.Count == 0)
        {
            return TileLayout.Single;
        }

        var (gridHeight, gridWidth) = BestResolution(height, width, config.GridPinpoints);
        int rows = gridHeight / config.Vision.ImageSize, columns = gridWidth / config.Vision.ImageSize;
        int mapHeight = rows * config.Vision.Grid, mapWidth = columns * config.Vision.Grid;
        if ((double)width / height > (double)mapWidth / mapHeight)
        {
            var padding = (mapHeight - Whole(height * ((double)mapWidth / width), config)) / 2;
            return new TileLayout(rows, columns, padding, mapHeight - padding, 0, mapWidth);
        }
        else
        {
            var padding = (mapWidth - Whole(width * ((double)mapHeight / height), config)) / 2;
            return new TileLayout(rows, columns, 0, mapHeight, padding, mapWidth - padding);
        }
    }

    /// <summary>The size to which a picture is resized within the grid's resolution.</summary>
    internal static (int Height, int Width) Fit(int height, int width, (int Height, int Width) grid)
    {
        double byWidth = (double)grid.Width / width, byHeight = (double)grid.Height / height;
        return byWidth < byHeight
            ? (Math.Min((int)Math.Ceiling(height * byWidth), grid.Height), grid.Width)
            : (grid.Height, Math.Min((int)Math.Ceiling(width * byHeight), grid.Width));
    }

    private static int Whole(double extent, LlavaConfig config) => (int)(config.OriginalAnyres ? extent : Math.Round(extent, Decimals));
}

using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Imaging;

/// <summary>
/// Reads the preprocessing of a model folder: preprocessor_config.json, the same block inside processor_config.json (newer saves), or, in the original layout,
/// <c>image_aspect_ratio</c> of config.json. A folder with neither has CLIP's preprocessing at the model's size.
/// </summary>
public static class PreprocessingConfigReader
{
    private const int Bicubic = 3;

    public static PreprocessingConfig Read(string folder, LlavaConfig model)
    {
        var fit = model.Family == ModelFamily.LlavaNext ? ImageFit.Anyres : ImageFit.Crop;
        var config = new PreprocessingConfig { TileSize = model.Vision.ImageSize, ShortestEdge = model.Vision.ImageSize, Fit = fit };
        var root = LlavaConfigReader.ReadRoot(folder);
        if (LlavaConfigReader.IsOriginal(root))
        {
            return root.Text("image_aspect_ratio") is "pad" ? config with { Fit = ImageFit.Pad } : config;
        }

        return FindBlock(folder) is { } block ? Read(block, config) : config;
    }

    private static ConfigSection? FindBlock(string folder) =>
        ConfigSection.ReadFileIfThere(Path.Combine(folder, "preprocessor_config.json"))
        ?? ConfigSection.ReadFileIfThere(Path.Combine(folder, "processor_config.json"))?.Section("image_processor");

    private static PreprocessingConfig Read(ConfigSection block, PreprocessingConfig defaults)
    {
        _ = block.Integer("resample", Bicubic, Bicubic, Bicubic);
        foreach (var key in (ReadOnlySpan<string>)["do_resize", "do_convert_rgb"])
        {
            RequireTrue(block, key);
        }

        // In LlavaNextImageProcessor do_pad means something else: filling up the tile axis of a batch.
        var fit = defaults.Fit == ImageFit.Crop && block.Flag("do_pad", false) ? ImageFit.Pad : defaults.Fit;
        if (fit == ImageFit.Crop)
        {
            RequireTrue(block, "do_center_crop");
        }

        var normalise = block.Flag("do_normalize", true);
        return defaults with
        {
            Fit = fit,
            TileSize = ReadTileSize(block, defaults.TileSize),
            ShortestEdge = ReadShortestEdge(block, fit, defaults.ShortestEdge),
            Mean = normalise ? ReadChannels(block, "image_mean", defaults.Mean) : [0, 0, 0],
            Deviation = normalise ? ReadChannels(block, "image_std", defaults.Deviation) : [1, 1, 1],
            RescaleFactor = block.Flag("do_rescale", true) ? block.PositiveNumber("rescale_factor", defaults.RescaleFactor) : 1,
        };
    }

    private static void RequireTrue(ConfigSection block, string key)
    {
        if (!block.Flag(key, true))
        {
            throw block.Refuse(key, "must be true");
        }
    }

    // The tower takes one size only, so anything else is a mistake in the folder.
    private static int ReadTileSize(ConfigSection block, int tower)
    {
        var (height, width) = block.Find("crop_size") switch
        {
            { ValueKind: JsonValueKind.Object } => (block.Section("crop_size")!.Value.Positive("height", tower), block.Section("crop_size")!.Value.Positive("width", tower)),
            _ => (block.Positive("crop_size", tower), block.Positive("crop_size", tower)),
        };
        return height == tower && width == tower ? tower : throw block.Refuse("crop_size", $"must be the vision tower's image_size ({tower})");
    }

    private static int ReadShortestEdge(ConfigSection block, ImageFit fit, int tower)
    {
        if (block.Find("size") is not { ValueKind: JsonValueKind.Object })
        {
            return block.Positive("size", tower);
        }

        var size = block.Section("size")!.Value;
        if (size.Has("shortest_edge"))
        {
            return size.Positive("shortest_edge", tower);
        }

        // A fixed height and width squashes; on a square, and for the first tile of anyres, that is the same thing.
        return fit != ImageFit.Crop && size.Positive("height", tower) == tower && size.Positive("width", tower) == tower
            ? tower
            : throw block.Refuse("size", "must have shortest_edge");
    }

    private static IReadOnlyList<double> ReadChannels(ConfigSection block, string key, IReadOnlyList<double> defaults)
    {
        var values = block.Numbers(key);
        return values is null || values.Length == defaults.Count ? values ?? defaults : throw block.Refuse(key, $"must hold {defaults.Count} numbers");
    }
}

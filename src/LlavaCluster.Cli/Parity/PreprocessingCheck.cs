using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Weights;
using LlavaCluster.Pictures;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Decoded bytes, resized and cut bytes, and pixel values of each picture, cropped and (where stored) padded.</summary>
internal sealed class PreprocessingCheck : IParityCheck
{
    private static readonly HeaderLimits Limits = new();

    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        var model = context.Network.Config;
        var config = PreprocessingConfigReader.Read(context.Folder.Path, model);
        var rows = new List<ParityRow>();
        using var decoded = context.Folder.DecodedImages;
        foreach (var name in context.Folder.Images)
        {
            using var scope = NewDisposeScope();
            var decoding = ImageDecoder.Decode(context.Folder.ImageBytes(name), Limits);
            if (!decoding.Succeeded)
            {
                rows.Add(new ParityRow("decoded bytes", name, double.NaN, 0, decoding.Refusal));
                continue;
            }

            if (decoded is not null && decoded.Tensors.ContainsKey(name))
            {
                rows.Add(Bytes("decoded bytes", name, decoding.Image, decoded, name));
            }

            rows.AddRange(Compare(context, new ImagePreprocessor(model, config), decoding.Image, name, "preprocess.safetensors", "pixel values"));
            rows.AddRange(Compare(context, new ImagePreprocessor(model, config with { Fit = ImageFit.Pad }), decoding.Image, name, "preprocess_pad_square.safetensors", "pixel values, padded"));
        }

        return rows;
    }

    private static List<ParityRow> Compare(ParityContext context, ImagePreprocessor preprocessor, RgbImage image, string name, string file, string check)
    {
        var rows = new List<ParityRow>();
        if (!context.Folder.Has(file))
        {
            return rows;
        }

        using var expected = context.Folder.Tensors(file);
        var side = preprocessor.Config.TileSize;
        var tiles = preprocessor.Tiles(image);
        if (expected.Tensors.ContainsKey(name + ".resized_u8"))
        {
            rows.Add(Bytes("resized bytes", name, preprocessor.ResizeShortest(image), expected, name + ".resized_u8"));
        }

        if (expected.Tensors.ContainsKey(name + ".cropped_u8"))
        {
            rows.Add(Difference.Of("cut bytes", name, Stack(tiles, side).squeeze(0), expected, name + ".cropped_u8", Tolerances.Exact));
        }

        if (expected.Tensors.ContainsKey(name + ".tiles_u8"))
        {
            rows.Add(Difference.Of("cut bytes", name, Stack(tiles, side), expected, name + ".tiles_u8", Tolerances.Exact));
        }

        var pixels = tensor(preprocessor.Prepare(image).Pixels, [tiles.Count, 3, side, side]);
        var asStored = expected.Tensors[name + ".pixel_values"].Shape.Count == 3 ? pixels.squeeze(0) : pixels;
        rows.Add(Difference.Of(check, name, asStored, expected, name + ".pixel_values", Tolerances.Pixels));
        return rows;
    }

    // Channels first, as the reference stores them: [tiles, 3, S, S]
    private static Tensor Stack(IReadOnlyList<RgbImage> tiles, int side) =>
        tensor(tiles.SelectMany(tile => tile.Pixels).ToArray(), [tiles.Count, side, side, 3]).permute(0, 3, 1, 2);

    private static ParityRow Bytes(string check, string subject, RgbImage ours, SafetensorsFile file, string name)
    {
        var image = tensor(ours.Pixels, [ours.Height, ours.Width, 3]); // as decoded pictures are stored
        var channelsFirst = file.Tensors[name].Shape[0] == 3;
        return Difference.Of(check, subject, channelsFirst ? image.permute(2, 0, 1) : image, file, name, Tolerances.Exact);
    }
}

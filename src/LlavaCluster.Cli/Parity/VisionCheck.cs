using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>Hidden states, selected features, projected features and (LLaVA-NeXT) packed features of each picture, from the reference's own pixels.</summary>
internal sealed class VisionCheck : IParityCheck
{
    public IEnumerable<ParityRow> Run(ParityContext context)
    {
        var rows = new List<ParityRow>();
        using var vision = context.Folder.Tensors("vision.safetensors");
        using var pixels = context.Folder.Tensors("preprocess.safetensors");
        const string suffix = ".pixel_values";
        foreach (var image in pixels.Tensors.Keys.Where(name => name.EndsWith(suffix, StringComparison.Ordinal)).Select(name => name[..^suffix.Length]).Order(StringComparer.Ordinal))
        {
            using var scope = NewDisposeScope();
            var tiles = pixels.View(image + suffix);
            tiles = tiles.dim() == 3 ? tiles.unsqueeze(0) : tiles;
            var single = tiles.shape[0] == 1;

            void Compare(string part, Tensor ours)
            {
                var name = $"{image}.{part}";
                if (vision.Tensors.TryGetValue(name, out var info))
                {
                    rows.Add(Difference.Of("vision", name, single && info.Shape.Count == ours.dim() - 1 ? ours.squeeze(0) : ours, vision, name, Tolerances.Vision));
                }
            }

            Compare("selected", context.Network.VisionFeatures(tiles, probe: (state, hidden) => Compare($"hidden_states.{state}", hidden)));
            var projected = context.Network.EncodeTiles(tiles);
            Compare("projected", projected);
            if (pixels.Tensors.ContainsKey(image + ".image_size"))
            {
                var size = pixels.View(image + ".image_size").data<long>();
                Compare("packed", context.Network.PackTiles(projected, context.Layout(((int)size[0], (int)size[1]))));
            }
        }

        return rows;
    }
}

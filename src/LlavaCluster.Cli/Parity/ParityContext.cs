using LlavaCluster.Model;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Language;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Parity;

/// <summary>A folder and its network in float32. Everything here runs on one thread; tensors belong to the caller's scope.</summary>
internal sealed class ParityContext(ParityFolder folder, LlavaModel model)
{
    public ParityFolder Folder { get; } = folder;

    public LlavaNetwork Network { get; } = model.Network;

    /// <summary>The prompt's word embeddings with the pictures' features in their places, [tokens, hidden].</summary>
    /// <param name="pixels">The prompt's pictures, [images, 3, S, S] or [images, tiles, 3, S, S]; null where it has none.</param>
    public Tensor Embed(ParityPrompt prompt, Tensor? pixels, Model.Adapters.AdapterBatch? adapters = null)
    {
        var imageToken = Network.Config.ImageTokenId;
        var places = Enumerable.Range(0, prompt.InputIds.Length).Where(i => prompt.InputIds[i] == imageToken).Select(i => (long)i).ToArray();
        var words = Network.Embed(tensor(prompt.InputIds.Select(id => (long)id).ToArray()));
        return pixels is null ? words : words.index_copy(0, tensor(places), Features(prompt, pixels, adapters));
    }

    /// <summary>Hidden states of sequences laid end to end.</summary>
    public Tensor Forward(IReadOnlyList<Tensor> sequences, Model.Adapters.AdapterBatch? adapters = null, Action<int, Tensor>? probe = null)
    {
        var lengths = sequences.Select(sequence => sequence.shape[0]).ToArray();
        var positions = cat([.. lengths.Select(length => arange(length, dtype: ScalarType.Int64))], 0);
        return Network.Forward(cat([.. sequences], 0), positions, new PackedAttention(lengths), adapters, probe);
    }

    /// <summary>How many features one of the prompt's pictures takes.</summary>
    public int Features(ParityPrompt prompt, int picture)
    {
        var config = Network.Config;
        return prompt.ImageSizes.Count == 0 ? config.TokensPerTile : Layout(prompt.ImageSizes[picture]).Tokens(config.TokensPerTile);
    }

    private Tensor Features(ParityPrompt prompt, Tensor pixels, Model.Adapters.AdapterBatch? adapters)
    {
        var images = new Tensor[prompt.Images.Count];
        for (var i = 0; i < images.Length; i++)
        {
            var layout = prompt.ImageSizes.Count == 0 ? Model.Vision.TileLayout.Single : Layout(prompt.ImageSizes[i]);
            var tiles = pixels.narrow(0, i, 1).view(-1, 3, pixels.shape[^2], pixels.shape[^1]).narrow(0, 0, layout.Tiles);
            images[i] = Network.PackTiles(Network.EncodeTiles(tiles, adapters), layout);
        }

        return cat(images, 0);
    }

    public Model.Vision.TileLayout Layout((int Height, int Width) size) => AnyresGrid.Layout(Network.Config, size.Height, size.Width);
}

using System.Runtime.InteropServices;
using LlavaCluster.Engine.Scheduling;
using LlavaCluster.Model;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Threading;
using static TorchSharp.torch;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Runs plans on a <see cref="LlavaNetwork"/>: owns its KV cache, the image features and the threads of our kernels, not the network. Every call opens and closes
/// its own dispose scope and inference mode; one copy to the host a step.
/// </summary>
internal sealed class ModelRunner : IModelRunner
{
    private readonly LlavaNetwork _network;
    private readonly KvCache _cache;
    private readonly KernelTeam _team;
    private readonly IPagedDecoder _decoder;
    private readonly DecoderStep _step;
    private readonly Dictionary<int, Tensor> _features = [];

    public ModelRunner(LlavaNetwork network, EngineOptions options)
    {
        _network = network;
        _step = new DecoderStep(options.BlockSize);
        _team = new KernelTeam(get_num_threads());
        try
        {
            _cache = new KvCache(network.Config.Text, options.KvBlocks, options.BlockSize, network.Dtype, network.Device);
            _decoder = PagedDecoder.For(network, _cache, _team, options.MaxTokensPerStep, options.Weights);
        }
        catch
        {
            _cache?.Dispose();
            _team.Dispose();
            throw;
        }
    }

    public void DropImages(IReadOnlyList<int> slots)
    {
        foreach (var slot in slots)
        {
            if (_features.Remove(slot, out var features))
            {
                features.Dispose();
            }
        }
    }

    public void Encode(IReadOnlyList<ImageWork> images)
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var size = _network.Config.Vision.ImageSize;
        var pixels = empty(images.Sum(i => i.Image.Layout.Tiles), 3, size, size, ScalarType.Float32);
        Fill(pixels, images, 3 * size * size);
        var tiles = _network.EncodeTiles(pixels.to(_network.Device)); // [tiles, tokensPerTile, hidden]
        var at = 0;
        foreach (var (slot, image, _) in images)
        {
            var count = image.Layout.Tiles;
            // A copy, so that evicting one image frees its memory though others of its batch stay.
            var features = _network.PackTiles(tiles.narrow(0, at, count), image.Layout).clone(); // [tokens, hidden]
            if (features.shape[0] != image.Tokens || features.shape[1] != _network.Config.Text.Hidden)
            {
                throw new InvalidDataException($"An image has {features.shape[0]} features of {features.shape[1]} numbers; its prompt has room for {image.Tokens} of {_network.Config.Text.Hidden}.");
            }

            DropImages([slot]);
            _features.Add(slot, features.DetachFromDisposeScope());
            at += count;
        }
    }

    public void Forward(ReadOnlySpan<StepRow> rows, Span<float> logits)
    {
        _step.Clear();
        foreach (var row in rows)
        {
            Describe(row);
        }

        _decoder.Decode(_step, logits);
    }

    public void Probe()
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        _ = _network.Embed(tensor(new long[] { 0 }, device: _network.Device)).sum().cpu();
    }

    public void Dispose()
    {
        foreach (var features in _features.Values)
        {
            features.Dispose();
        }

        _features.Clear();
        _decoder.Dispose();
        _team.Dispose();
        _cache.Dispose();
    }

    private static void Fill(Tensor pixels, IReadOnlyList<ImageWork> images, int tileValues)
    {
        var target = MemoryMarshal.Cast<byte, float>(pixels.bytes);
        foreach (var (_, image, values) in images)
        {
            if (values.Length != image.Layout.Tiles * tileValues)
            {
                throw new InvalidDataException($"An image of {image.Layout.Tiles} tiles needs {image.Layout.Tiles * tileValues} pixel values; it has {values.Length}.");
            }

            values.CopyTo(target);
            target = target[values.Length..];
        }
    }

    private void Describe(StepRow row)
    {
        var (sequence, at, end) = (row.Sequence, _step.Ids.Count, row.Start + row.Count);
        _step.Batch.Add(sequence.Blocks.Blocks, row.Start, row.Tokens);
        Describe(sequence.Tokens.Slice(row.Start, row.Count));
        var last = _step.Ids.Count - 1;
        Describe(sequence.Guess[..row.Guesses]);

        foreach (var image in sequence.Images)
        {
            var from = Math.Max(image.Start, row.Start);
            var count = Math.Min(image.End, end) - from;
            if (count > 0)
            {
                _step.Features.Add(new FeatureRows(at + from - row.Start, _features[image.Slot], from - image.Start, count));
            }
        }

        for (var i = 0; i < row.Sampled; i++)
        {
            _step.Sampled.Add(last + i);
        }
    }

    private void Describe(ReadOnlySpan<int> tokens)
    {
        foreach (var id in tokens)
        {
            // Image tokens may lie outside the embedding table; features stand in their places.
            _step.Ids.Add(id < _network.Config.Text.VocabSize ? id : 0);
        }
    }
}

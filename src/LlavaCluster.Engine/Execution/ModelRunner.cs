using System.Runtime.InteropServices;
using LlavaCluster.Engine.Scheduling;
using LlavaCluster.Model;
using LlavaCluster.Model.Kernels;
using static TorchSharp.torch;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Runs plans on a <see cref="LlavaNetwork"/>: owns its KV cache and the image features, not the network. Every call opens and closes
/// its own dispose scope and inference mode; one copy to the host a step.
/// </summary>
internal sealed class ModelRunner : IModelRunner
{
    private readonly LlavaNetwork _network;
    private readonly KvCache _cache;
    private readonly PagedBatch _batch;
    private readonly Dictionary<int, Tensor> _features = [];
    private readonly List<long> _ids = [];
    private readonly List<long> _sampled = [];

    public ModelRunner(LlavaNetwork network, EngineOptions options)
    {
        _network = network;
        _cache = new KvCache(network.Config.Text, options.KvBlocks, options.BlockSize, network.Dtype, network.Device);
        _batch = new PagedBatch(options.BlockSize);
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
            if (features.shape[0] != image.Tokens)
            {
                throw new InvalidDataException($"An image has {features.shape[0]} features; its prompt has room for {image.Tokens}.");
            }

            DropImages([slot]);
            _features.Add(slot, features.DetachFromDisposeScope());
            at += count;
        }
    }

    public void Forward(ReadOnlySpan<StepRow> rows, Span<float> logits)
    {
        Describe(rows);
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var device = _network.Device;
        var embeddings = _network.Embed(HostTensor(_ids, device)); // [tokens, hidden]
        Splice(rows, embeddings);
        var attention = new PagedAttention(_cache, _batch, device);
        var hidden = _network.Forward(embeddings, HostTensor(_batch.Positions, device), attention); // [tokens, hidden]
        if (_sampled.Count == 0)
        {
            return;
        }

        var chosen = hidden.index_select(0, HostTensor(_sampled, device)); // [samples, hidden]
        var scores = _network.Logits(chosen).cpu().contiguous(); // [samples, vocab]
        MemoryMarshal.Cast<byte, float>(scores.bytes).CopyTo(logits);
    }

    public void Probe()
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        _ = _network.Logits(_network.Embed(tensor(new long[] { 0 }, device: _network.Device))).cpu();
    }

    public void Dispose()
    {
        foreach (var features in _features.Values)
        {
            features.Dispose();
        }

        _features.Clear();
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

    private static Tensor HostTensor(List<long> values, Device device) =>
        tensor(CollectionsMarshal.AsSpan(values).ToArray(), device: device);

    private void Describe(ReadOnlySpan<StepRow> rows)
    {
        _batch.Clear();
        _ids.Clear();
        _sampled.Clear();
        foreach (var row in rows)
        {
            var sequence = row.Sequence;
            _batch.Add(sequence.Blocks.Blocks, row.Start, row.Count);
            foreach (var id in sequence.Tokens.Slice(row.Start, row.Count))
            {
                // Image tokens may lie outside the embedding table; their places are overwritten.
                _ids.Add(id < _network.Config.Text.VocabSize ? id : 0);
            }

            if (row.Samples)
            {
                _sampled.Add(_ids.Count - 1);
            }
        }
    }

    private void Splice(ReadOnlySpan<StepRow> rows, Tensor embeddings)
    {
        var at = 0;
        foreach (var row in rows)
        {
            var end = row.Start + row.Count;
            foreach (var image in row.Sequence.Images)
            {
                var from = Math.Max(image.Start, row.Start);
                var count = Math.Min(image.End, end) - from;
                if (count > 0)
                {
                    var part = _features[image.Slot].narrow(0, from - image.Start, count);
                    embeddings.narrow(0, at + from - row.Start, count).copy_(part);
                }
            }

            at += row.Count;
        }
    }
}

using System.Runtime.InteropServices;
using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;
using LlavaCluster.Model;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Vision;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Runs plans on a <see cref="LlavaNetwork"/>: owns its KV cache, the image features, the adapters and the threads of our kernels, not the network. Every call opens and closes
/// its own dispose scope and inference mode; one copy to the host a step.
/// </summary>
internal sealed class ModelRunner : IModelRunner
{
    private readonly LlavaNetwork _network;
    private readonly KvCache _cache;
    private readonly KernelTeam _team;
    private readonly IPagedDecoder _decoder;
    private readonly ITileEncoder _encoder;
    private readonly DecoderStep _step;
    private readonly Dictionary<int, Tensor> _features = [];
    private readonly Dictionary<int, RunnerAdapter> _adapters = [];
    private (int Slot, int Adapter, ITileEncoding Tiles)? _encoding;

    public ModelRunner(LlavaNetwork network, EngineOptions options, TokenBans bans)
    {
        _network = network;
        _step = new DecoderStep(options.BlockSize);
        _team = new KernelTeam(get_num_threads());
        try
        {
            _cache = new KvCache(network.Config.Text, options.KvBlocks, options.BlockSize, network.Dtype, network.Device);
            _decoder = PagedDecoder.For(network, _cache, _team, options.MaxTokensPerStep, options.Weights, bans);
            _encoder = TileEncoder.For(network, _team);
        }
        catch
        {
            _decoder?.Dispose();
            _cache?.Dispose();
            _team.Dispose();
            throw;
        }
    }

    public bool Picks => _decoder.Picks;

    public int EncodingStages => _encoder.Stages;

    public void DropImages(IReadOnlyList<int> slots)
    {
        foreach (var slot in slots)
        {
            if (_encoding?.Slot == slot)
            {
                DropEncoding();
            }

            if (_features.Remove(slot, out var features))
            {
                features.Dispose();
            }
        }
    }

    /// <summary>[tokens, hidden]; the runner's.</summary>
    internal Tensor FeaturesOf(int slot) => _features[slot];

    public void Encode(IReadOnlyList<ImageWork> images)
    {
        using var mode = inference_mode();
        foreach (var group in images.GroupBy(work => work.Adapter))
        {
            EncodeTogether([.. group], FeaturesOfAdapter(group.Key));
        }
    }

    public IPreparedAdapter PrepareAdapter(LoraWeights weights)
    {
        try
        {
            return new RunnerAdapter(weights, _network, _decoder);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    public void AddAdapter(int slot, IPreparedAdapter adapter)
    {
        using var mode = inference_mode();
        var added = (RunnerAdapter)adapter;
        added.Complete(_network, _decoder);
        _adapters.Add(slot, added);
    }

    public void DropAdapter(int slot)
    {
        if (_encoding?.Adapter == slot)
        {
            DropEncoding(); // of an image that nobody waits for any more
        }

        if (_adapters.Remove(slot, out var adapter))
        {
            adapter.Dispose();
        }
    }

    public void EncodePart(ImageWork image, int first, int count)
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        if (first == 0)
        {
            DropEncoding();
            _encoding = (image.Slot, image.Adapter, _encoder.Begin(Pixels([image]), FeaturesOfAdapter(image.Adapter)));
        }

        var encoding = _encoding?.Tiles ?? throw new InvalidOperationException("An encoding is gone on with that was dropped.");
        try
        {
            encoding.Advance(count);
            if (first + count < EncodingStages)
            {
                return;
            }

            Keep(image, encoding.Finish());
        }
        catch
        {
            DropEncoding();
            throw;
        }

        DropEncoding();
    }

    public void Forward(ReadOnlySpan<StepRow> rows, Span<float> logits, Span<int> picks)
    {
        _step.Clear();
        foreach (var row in rows)
        {
            Describe(row);
        }

        _decoder.Decode(_step, logits, picks);
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
        DropEncoding();
        foreach (var adapter in _adapters.Values)
        {
            adapter.Dispose();
        }

        _adapters.Clear();
        _encoder.Dispose();
        _decoder.Dispose();
        _team.Dispose();
        _cache.Dispose();
    }

    private LoraAdapter? FeaturesOfAdapter(int slot) => slot == AdapterPin.None ? null : _adapters[slot].Features;

    private void EncodeTogether(List<ImageWork> images, LoraAdapter? adapter)
    {
        using var scope = NewDisposeScope();
        using var encoding = _encoder.Begin(Pixels(images), adapter);
        encoding.Advance(_encoder.Stages);
        var tiles = encoding.Finish(); // [tiles, tokensPerTile, hidden]
        var at = 0;
        foreach (var work in images)
        {
            Keep(work, tiles.narrow(0, at, work.Image.Layout.Tiles));
            at += work.Image.Layout.Tiles;
        }
    }

    private void DropEncoding()
    {
        _encoding?.Tiles.Dispose();
        _encoding = null;
    }

    /// <param name="tiles">[tiles, tokensPerTile, hidden] of this image.</param>
    private void Keep(ImageWork work, Tensor tiles)
    {
        // A copy, so that evicting one image frees its memory though others of its batch stay.
        var features = _network.PackTiles(tiles, work.Image.Layout).clone(); // [tokens, hidden]
        if (features.shape[0] != work.Image.Tokens || features.shape[1] != _network.Config.Text.Hidden)
        {
            throw new InvalidDataException($"An image has {features.shape[0]} features of {features.shape[1]} numbers; its prompt has room for {work.Image.Tokens} of {_network.Config.Text.Hidden}.");
        }

        if (_features.Remove(work.Slot, out var old))
        {
            old.Dispose();
        }

        _features.Add(work.Slot, features.DetachFromDisposeScope());
    }

    // [tiles of all, 3, S, S] on the host
    private Tensor Pixels(IReadOnlyList<ImageWork> images)
    {
        var size = _network.Config.Vision.ImageSize;
        var pixels = empty(images.Sum(i => i.Image.Layout.Tiles), 3, size, size, ScalarType.Float32);
        Fill(pixels, images, 3 * size * size);
        return pixels;
    }

    private static void Fill(Tensor pixels, IReadOnlyList<ImageWork> images, int tileValues)
    {
        var target = MemoryMarshal.Cast<byte, float>(pixels.bytes);
        foreach (var (_, image, values, _) in images)
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
        if (sequence.Adapter != AdapterPin.None)
        {
            _step.Adapters.Add(new AdapterRows(_adapters[sequence.Adapter].Decoder!, at, row.Tokens));
        }

        Describe(sequence.Tokens.Slice(row.Start, row.Count));
        var last = _step.Ids.Count - 1;
        Describe(sequence.Guess[..row.Guesses]);

        foreach (var image in sequence.Images)
        {
            var from = Math.Max(image.Start, row.Start);
            var count = Math.Min(image.End, end) - from;
            if (count > 0)
            {
                _step.Features.Add(new FeatureRows(at + from - row.Start, FeaturesOf(image.Slot), from - image.Start, count));
            }
        }

        for (var i = last; i < last + row.Sampled; i++)
        {
            if (Picks && sequence.Draw != DrawKind.Sampler)
            {
                _step.Picked.Add(new PickedRow(i, SkipsEnds: sequence.Draw == DrawKind.HighestButEnds));
            }
            else
            {
                _step.Sampled.Add(i);
            }
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

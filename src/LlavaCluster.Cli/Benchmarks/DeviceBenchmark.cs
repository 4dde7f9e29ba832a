using LlavaCluster.Model;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Cli.Benchmarks;

/// <summary>
/// What the device does without any server around it: decoding at several batch sizes, prefill, picture encoding, and the ceilings beside them. Every figure
/// is a median; the bandwidth is probed before and after each decoding figure, because other tenants of a machine move it. Owns no network; one thread.
/// </summary>
internal sealed class DeviceBenchmark : IDisposable
{
    /// <summary>Positions that decoding needs beyond the context, which is rounded up to whole blocks.</summary>
    public const int Spare = BlockSize + DecodeSteps;

    private const int BlockSize = 16;
    private const int DecodeSteps = 8;
    private const int MatrixSide = 2048;
    private static readonly TimeSpan WarmFor = TimeSpan.FromSeconds(1);

    private readonly LlavaNetwork _network;
    private readonly DeviceBenchmarkOptions _options;
    private readonly TimeProvider _time;
    private readonly KernelTeam _team;
    private readonly KvCache _cache;
    private readonly IPagedDecoder _decoder;
    private readonly ITileEncoder _encoder;
    private readonly BandwidthProbe _probe;
    private readonly DecoderStep _step = new(BlockSize);
    private readonly float[] _logits;
    private readonly int[] _picks;
    private readonly List<IDecoderAdapter> _adapters = [];

    public DeviceBenchmark(LlavaNetwork network, DeviceBenchmarkOptions options, TimeProvider time)
    {
        (_network, _options, _time) = (network, options, time);
        var most = Math.Max(options.Batches.Max(), options.Adapters);
        _team = new KernelTeam(options.Threads);
        _cache = new KvCache(network.Config.Text, ContextBlocks + Math.Max(most, PromptBlocks), BlockSize, network.Dtype, network.Device);
        _decoder = PagedDecoder.For(network, _cache, _team, Math.Max(most, Math.Max(options.Context, options.Prompt)), options.Weights);
        _encoder = TileEncoder.For(network, _team);
        _probe = new BandwidthProbe(_team, time);
        _logits = new float[most * network.Config.Text.VocabSize];
        _picks = new int[most];
    }

    public long WeightBytes => _decoder.WeightBytes;

    /// <summary>Decoding: tokens per second over all sequences, and the weights' bytes per second as a share of the bandwidth probed around it.</summary>
    public IEnumerable<DecodeFigure> Decode()
    {
        Fill();
        foreach (var batch in _options.Batches)
        {
            Warm(() => DecodeOnce(batch));
            var rounds = Enumerable.Range(0, _options.Rounds).Select(_ =>
            {
                var before = _probe.Measure();
                var seconds = Timed(() => DecodeOnce(batch)) / DecodeSteps;
                return (Seconds: seconds, Bandwidth: (before + _probe.Measure()) / 2);
            }).ToList();
            var bandwidth = Median(rounds.Select(round => round.Bandwidth));
            yield return new DecodeFigure(batch, batch / Median(rounds.Select(round => round.Seconds)), Median(rounds.Select(round => WeightBytes / round.Seconds / round.Bandwidth)), bandwidth);
        }
    }

    /// <summary>Decoding with as many adapters as sequences, and the same without, by turns: tokens per second over all sequences.</summary>
    public AdapterFigure DecodeAdapted()
    {
        MakeAdapters();
        Fill();
        Warm(() => DecodeOnce(_options.Adapters));
        Warm(() => DecodeOnce(_options.Adapters, _adapters));
        var rounds = Enumerable.Range(0, _options.Rounds).Select(_ => (Base: Timed(() => DecodeOnce(_options.Adapters)), Adapted: Timed(() => DecodeOnce(_options.Adapters, _adapters)))).ToList();
        double tokens = _options.Adapters * DecodeSteps;
        return new AdapterFigure(tokens / Median(rounds.Select(round => round.Base)), tokens / Median(rounds.Select(round => round.Adapted)), Median(rounds.Select(round => round.Base / round.Adapted)), _adapters.Sum(adapter => adapter.Bytes));
    }

    /// <summary>Tokens per second of a prompt in one chunk.</summary>
    public double Prefill()
    {
        Prompt();
        Warm(Prompt);
        return _options.Prompt / Median(Enumerable.Range(0, _options.Rounds).Select(_ => Timed(Prompt)));

        void Prompt() => Run(_options.Prompt, [.. Enumerable.Range(ContextBlocks, PromptBlocks)]);
    }

    /// <summary>Seconds to encode one picture of one tile.</summary>
    public double Encode()
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var side = _network.Config.Vision.ImageSize;
        var pixels = zeros(1, 3, side, side, device: _network.Device);
        Warm(() => Encode(pixels));
        return Median(Enumerable.Range(0, _options.Rounds).Select(_ => Timed(() => Encode(pixels))));
    }

    /// <summary>Operations per second of libtorch's product of two large matrices in the network's type.</summary>
    public double Multiply()
    {
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var matrix = ones(MatrixSide, MatrixSide, _network.Dtype, _network.Device);
        Product(matrix);
        return 2.0 * MatrixSide * MatrixSide * MatrixSide / Median(Enumerable.Range(0, _options.Rounds).Select(_ => Timed(() => Product(matrix))));
    }

    public void Dispose()
    {
        _adapters.ForEach(adapter => adapter.Dispose());
        _probe.Dispose();
        _encoder.Dispose();
        _decoder.Dispose();
        _cache.Dispose();
        _team.Dispose();
    }

    private int ContextBlocks => (_options.Context + BlockSize - 1) / BlockSize;

    private int PromptBlocks => (_options.Prompt + BlockSize - 1) / BlockSize;

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    // The runtime compiles what runs often once more, in the background: a server is past that in its first seconds.
    private void Warm(Action work)
    {
        for (var (began, times) = (_time.GetTimestamp(), 0); times < 2 || _time.GetElapsedTime(began) < WarmFor; times++)
        {
            work();
        }
    }

    private double Timed(Action work)
    {
        var began = _time.GetTimestamp();
        work();
        return _time.GetElapsedTime(began).TotalSeconds;
    }

    // All sequences share the blocks of this context and have one of their own for what they decode.
    private void Fill() => Run(ContextBlocks * BlockSize, [.. Enumerable.Range(0, ContextBlocks)]);

    private void Run(int tokens, int[] blocks)
    {
        _step.Clear();
        _step.Batch.Add(blocks, 0, tokens);
        _step.Ids.AddRange(Enumerable.Range(0, tokens).Select(i => (long)(i % _network.Config.Text.VocabSize)));
        _step.Sampled.Add(tokens - 1);
        _decoder.Decode(_step, _logits.AsSpan(0, _network.Config.Text.VocabSize));
    }

    private void MakeAdapters()
    {
        var (first, last) = _options.Ranks;
        for (var i = 0; i < _options.Adapters; i++)
        {
            var rank = first + (int)Math.Round((last - first) * (double)i / Math.Max(1, _options.Adapters - 1));
            using var weights = RandomAdapter.Of(_network.Config, rank, seed: i);
            _adapters.Add(_decoder.Adapt(weights));
        }
    }

    private void DecodeOnce(int batch, List<IDecoderAdapter>? adapters = null)
    {
        Span<int> blocks = [.. Enumerable.Range(0, ContextBlocks), 0];
        for (var i = 0; i < DecodeSteps; i++)
        {
            _step.Clear();
            for (var sequence = 0; sequence < batch; sequence++)
            {
                blocks[^1] = ContextBlocks + sequence;
                _step.Batch.Add(blocks, (ContextBlocks * BlockSize) + i, 1);
                _step.Ids.Add(sequence);
                if (adapters is not null)
                {
                    _step.Adapters.Add(new AdapterRows(adapters[sequence], sequence, 1));
                }

                if (_decoder.Picks)
                {
                    _step.Picked.Add(new PickedRow(sequence, SkipsEnds: false));
                }
                else
                {
                    _step.Sampled.Add(sequence);
                }
            }

            _decoder.Decode(_step, _logits.AsSpan(0, batch * _network.Config.Text.VocabSize), _picks);
        }
    }

    private void Encode(Tensor pixels)
    {
        using var encoding = _encoder.Begin(pixels);
        encoding.Advance(_encoder.Stages);
        using var features = encoding.Finish();
        using var host = features.cpu(); // waits for the device
    }

    private static void Product(Tensor matrix)
    {
        using var product = matrix.mm(matrix);
        using var host = product.narrow(0, 0, 1).cpu();
    }
}

/// <param name="TokensPerSecond">Over all sequences.</param>
/// <param name="Share">Of the bandwidth that the weights alone take.</param>
/// <param name="Bandwidth">Bytes per second, probed.</param>
internal readonly record struct DecodeFigure(int Batch, double TokensPerSecond, double Share, double Bandwidth);

/// <param name="Base">Tokens per second over all sequences, without an adapter.</param>
/// <param name="Adapted">With one each.</param>
/// <param name="Ratio">Of the two; the median of rounds.</param>
/// <param name="Bytes">Of all adapters.</param>
internal readonly record struct AdapterFigure(double Base, double Adapted, double Ratio, long Bytes);

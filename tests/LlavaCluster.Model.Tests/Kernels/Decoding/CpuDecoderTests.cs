using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Tests.Network;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Decoding;

public abstract class CpuDecoderTests : IDisposable
{
    private const int BlockSize = 4;
    private const int Vocabulary = 96;

    private static readonly LlavaConfig Config = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4 },
        Text = new TextConfig { VocabSize = Vocabulary, Hidden = 64, Intermediate = 96, Layers = 3, Heads = 4, KvHeads = 2, HeadDim = 32, MaxPositions = 128 },
        Projector = new ProjectorConfig(2),
        ImageTokenId = Vocabulary - 1,
        FeatureLayers = [1],
        FeatureSelect = FeatureSelect.Patch,
    };

    private readonly LlavaNetwork _network;
    private readonly LlavaNetwork _reference = new(Config, new Rounded(new RandomWeights(4), ScalarType.Float32), ScalarType.Float32, CPU);
    private readonly KvCache _cache;
    private readonly KernelTeam _team = new(2);
    private readonly IPagedDecoder _decoder;
    private readonly double _tolerance;

    /// <param name="tolerance">Deviation of the error, as a share of the logits' deviation.</param>
    protected CpuDecoderTests(ScalarType type, double tolerance)
    {
        _tolerance = tolerance;
        _network = new LlavaNetwork(Config, new Rounded(new RandomWeights(4), type), type, CPU);
        _cache = new KvCache(Config.Text, 64, BlockSize, type, CPU);
        _decoder = PagedDecoder.ForCpu(_network, _cache, _team, mostTokens: 64, mostSampled: 64);
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _decoder.Dispose();
        _team.Dispose();
        _cache.Dispose();
        _network.Dispose();
        _reference.Dispose();
    }

    [Fact]
    public void Logits_OfAPrompt_AreTheNetworksInFloat32WithinTheType()
    {
        var ids = Ids(1, 37);
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var hidden = _reference.Forward(_reference.Embed(tensor(ids)), arange(ids.Length, dtype: ScalarType.Int64), new DenseAttention(1, ids.Length));
        var expected = _reference.Logits(hidden); // [tokens, vocab]

        var ours = tensor(Run([(ids, 0, Blocks(1))]), [ids.Length, Vocabulary]);

        Assert.InRange(((ours - expected).std() / expected.std()).item<float>(), 0, _tolerance);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(16)]
    public void Logits_OfAPromptInChunks_AreBitEqualToThePromptAtOnce(int chunk)
    {
        var ids = Ids(2, 33);
        var whole = Run([(ids, 0, Blocks(1))]);

        var parts = new List<float>();
        for (var start = 0; start < ids.Length; start += chunk)
        {
            parts.AddRange(Run([(ids[start..Math.Min(ids.Length, start + chunk)], start, Blocks(3))]));
        }

        Assert.Equal(whole, parts);
    }

    [Fact]
    public void Logits_OfASequenceBesideOthers_AreBitEqualToTheSequenceAlone()
    {
        var (first, second, third) = (Ids(3, 9), Ids(4, 21), Ids(5, 2));
        var alone = Run([(second, 0, Blocks(1))]);

        var together = Run([(first, 0, Blocks(0)), (second, 0, Blocks(3)), (third, 0, Blocks(4))]);

        Assert.Equal(alone, together[(first.Length * Vocabulary)..((first.Length + second.Length) * Vocabulary)]);
    }

    [Fact]
    public void Place_PutsFeaturesInTheRowsOfAPicture()
    {
        var ids = Ids(6, 8);
        using var scope = NewDisposeScope();
        var words = _network.Embed(tensor(Ids(7, 3)));
        var mixed = ids.ToArray();
        Ids(7, 3).CopyTo(mixed, 2);
        var expected = Run([(mixed, 0, Blocks(1))]);

        var batch = new PagedBatch(BlockSize);
        batch.Add(Blocks(4), 0, ids.Length);
        _decoder.Embed(ids);
        _decoder.Place(2, words);
        _decoder.Forward(batch);

        Assert.Equal(expected, Logits(ids.Length));
    }

    [Fact]
    public void Forward_OfOneTokenEach_AllocatesNothing()
    {
        var batch = new PagedBatch(BlockSize);
        long[] ids = [1, 2, 3];
        var (rows, logits) = (new long[] { 0, 1, 2 }, new float[3 * Vocabulary]);
        Step(10); // the batch's lists have their size
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var position = 1; position < 10; position++)
        {
            Step(position);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Step(int position)
        {
            batch.Clear();
            for (var sequence = 0; sequence < ids.Length; sequence++)
            {
                batch.Add(All.AsSpan(sequence * 8, 8), position, 1);
            }

            _decoder.Embed(ids);
            _decoder.Forward(batch);
            _decoder.Logits(rows, logits);
        }
    }

    private static readonly int[] All = [.. Enumerable.Range(0, 64)];

    private static long[] Ids(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(Vocabulary - 1))];
    }

    /// <summary>Scattered blocks, others for every set from 0 to 4.</summary>
    private static int[] Blocks(int set) => [.. Enumerable.Range(0, 12).Select(i => (i * 5) + set)];

    private float[] Run((long[] Ids, int Start, int[] Blocks)[] sequences)
    {
        var batch = new PagedBatch(BlockSize);
        foreach (var (ids, start, blocks) in sequences)
        {
            batch.Add(blocks, start, ids.Length);
        }

        _decoder.Embed([.. sequences.SelectMany(sequence => sequence.Ids)]);
        _decoder.Forward(batch);
        return Logits(batch.Tokens);
    }

    private float[] Logits(int rows)
    {
        var logits = new float[rows * Vocabulary];
        _decoder.Logits([.. Enumerable.Range(0, rows).Select(row => (long)row)], logits);
        return logits;
    }

    /// <summary>Weights that bfloat16 holds exactly, in the type asked for.</summary>
    private sealed class Rounded(IWeightSource source, ScalarType type) : IWeightSource
    {
        public Tensor Take(string name, params long[] shape)
        {
            using var drawn = source.Take(name, shape);
            using var rounded = drawn.to(ScalarType.BFloat16);
            return rounded.to(type, copy: true);
        }
    }
}

/// <summary>Rows are rounded to 8 bits before each product of the three layers.</summary>
public sealed class BFloat16DecoderTests() : CpuDecoderTests(ScalarType.BFloat16, 0.02);

public sealed class Float32DecoderTests() : CpuDecoderTests(ScalarType.Float32, 2e-6);

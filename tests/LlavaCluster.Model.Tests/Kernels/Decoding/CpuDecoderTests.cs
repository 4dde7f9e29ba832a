using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Layers;
using LlavaCluster.Model.Tests.Network;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Decoding;

public abstract class CpuDecoderTests : IDisposable
{
    private const int BlockSize = 16;
    private const int Vocabulary = 96;

    private static readonly LlavaConfig Config = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4 },
        Text = new TextConfig { VocabSize = Vocabulary, Hidden = 64, Intermediate = 96, Layers = 3, Heads = 4, KvHeads = 2, HeadDim = 96, MaxPositions = 128 },
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
    private readonly DecoderStep _step = new(BlockSize);
    private readonly double _tolerance;

    /// <param name="tolerance">Deviation of the error, as a share of the logits' deviation.</param>
    protected CpuDecoderTests(ScalarType type, double tolerance, WeightFormat? weights = null)
    {
        _tolerance = tolerance;
        _network = new LlavaNetwork(Config, new Rounded(new RandomWeights(4), type), type, CPU);
        _cache = new KvCache(Config.Text, 64, BlockSize, type, CPU);
        _decoder = PagedDecoder.For(_network, _cache, _team, mostTokens: 64, weights);
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
    public void Features_StandForTheWordsOfTheirRows()
    {
        var (ids, seen) = (Ids(6, 8), Ids(7, 5));
        using var scope = NewDisposeScope();
        var words = _network.Embed(tensor(seen));
        long[] mixed = [.. ids[..2], .. seen[1..4], .. ids[5..]];
        var expected = Run([(mixed, 0, Blocks(1))]);

        Add(ids, 0, Blocks(4));
        _step.Features.Add(new FeatureRows(2, words, 1, 3));

        Assert.Equal(expected, Decode());
    }

    [Fact]
    public void Decode_OfOneTokenEach_OnceWarm_AllocatesNothing()
    {
        var logits = new float[3 * Vocabulary];
        Step(10); // the step's lists have their size

        // What the runtime allocates once on a thread that comes to a piece of code late is not the loop's: a loop that allocates does so in every round.
        Assert.Contains(0L, Enumerable.Range(0, 8).Select(_ => Round()));

        long Round()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var position = 1; position < 10; position++)
            {
                Step(position);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        void Step(int position)
        {
            _step.Clear();
            for (var sequence = 0; sequence < 3; sequence++)
            {
                _step.Batch.Add(All.AsSpan(sequence * 8, 8), position, 1);
                _step.Ids.Add(sequence);
                _step.Sampled.Add(sequence);
            }

            _decoder.Decode(_step, logits);
        }
    }

    [Fact]
    public void Decode_BeyondTheModelsPositions_IsRefused()
    {
        Add(Ids(9, 1), Config.Text.MaxPositions, Blocks(0));

        Assert.Throws<ArgumentOutOfRangeException>(Decode);
    }

    [Fact]
    public void Decode_WithoutSampledRows_WritesNoLogits()
    {
        Add(Ids(8, 4), 0, Blocks(0));
        _step.Sampled.Clear();

        _decoder.Decode(_step, []);
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
        foreach (var (ids, start, blocks) in sequences)
        {
            Add(ids, start, blocks);
        }

        return Decode();
    }

    private void Add(long[] ids, int start, int[] blocks)
    {
        for (var i = 0; i < ids.Length; i++)
        {
            _step.Sampled.Add(_step.Ids.Count + i);
        }

        _step.Batch.Add(blocks, start, ids.Length);
        _step.Ids.AddRange(ids);
    }

    private float[] Decode()
    {
        var logits = new float[_step.Sampled.Count * Vocabulary];
        _decoder.Decode(_step, logits);
        _step.Clear();
        return logits;
    }

    /// <summary>Weights that bfloat16 holds exactly, in the type asked for.</summary>
}

/// <summary>Rows are rounded to 8 bits before each product of the three layers.</summary>
public sealed class BFloat16DecoderTests() : CpuDecoderTests(ScalarType.BFloat16, 0.02);

public sealed class Float32DecoderTests() : CpuDecoderTests(ScalarType.Float32, 2e-6);

public sealed class Q8DecoderTests() : CpuDecoderTests(ScalarType.BFloat16, 0.04, WeightFormat.Q8);

public sealed class Q4DecoderTests() : CpuDecoderTests(ScalarType.Float32, 0.3, WeightFormat.Q4);

public sealed class NarrowDecoderTests
{
    // Rows of 32 four-bit weights are so short that a chunk has thousands of them, and gate and up take more scratch than anything else.
    [Fact]
    public void Decode_OfANarrowModelWithAWideMlp_StaysInsideItsScratch()
    {
        const int tokens = 48;
        var config = new LlavaConfig
        {
            Family = ModelFamily.Llava15,
            Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4 },
            Text = new TextConfig { VocabSize = 32, Hidden = 32, Intermediate = 8192, Layers = 1, Heads = 1, KvHeads = 1, HeadDim = 32, MaxPositions = 64 },
            Projector = new ProjectorConfig(2),
            ImageTokenId = 31,
            FeatureLayers = [1],
            FeatureSelect = FeatureSelect.Patch,
        };
        using var network = new LlavaNetwork(config, new RandomWeights(4), ScalarType.Float32, CPU);
        using var cache = new KvCache(config.Text, 4, 16, ScalarType.Float32, CPU);
        using var team = new KernelTeam(1);
        using var decoder = PagedDecoder.For(network, cache, team, tokens, WeightFormat.Q4);
        var step = new DecoderStep(16);
        step.Batch.Add([0, 1, 2], 0, tokens);
        step.Ids.AddRange(Enumerable.Range(0, tokens).Select(i => (long)i % 31));
        step.Sampled.Add(tokens - 1);
        var logits = new float[32];

        decoder.Decode(step, logits);

        Assert.All(logits, logit => Assert.True(float.IsFinite(logit)));
    }
}

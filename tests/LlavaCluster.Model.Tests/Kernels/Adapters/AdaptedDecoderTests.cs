using CsCheck;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Tests.Network;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Adapters;

/// <summary>Rows of several adapters and of none in one batch, beside each sequence alone with its adapter on the network of libtorch, and beside a network whose weights have the adapter in them.</summary>
public abstract class AdaptedDecoderTests : IDisposable
{
    private const int BlockSize = 16;
    private const int Vocabulary = 112; // the last half block of 32 is empty
    private const int Base = -1;
    private const int SequenceBlocks = 4;

    private static readonly LlavaConfig Config = new()
    {
        Family = ModelFamily.Llava15,
        Vision = new VisionConfig { Hidden = 16, Intermediate = 24, Layers = 2, Heads = 2, ImageSize = 8, PatchSize = 4 },
        Text = new TextConfig { VocabSize = Vocabulary, Hidden = 64, Intermediate = 96, Layers = 3, Heads = 4, KvHeads = 2, HeadDim = 32, MaxPositions = 64 },
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
    private readonly LoraWeights[] _weights;
    private readonly IDecoderAdapter[] _adapters;
    private readonly DecoderStep _step = new(BlockSize);
    private readonly double _tolerance;

    /// <param name="tolerance">Deviation of the error, as a share of the logits' deviation.</param>
    protected AdaptedDecoderTests(ScalarType type, double tolerance, WeightFormat? weights = null, bool isTorch = false)
    {
        _tolerance = tolerance;
        _network = new LlavaNetwork(Config, new Rounded(new RandomWeights(4), type), type, CPU);
        _cache = new KvCache(Config.Text, 64, BlockSize, type, CPU);
        _decoder = isTorch ? new TorchDecoder(_network, _cache, TokenBans.None) : PagedDecoder.For(_network, _cache, _team, mostTokens: 256, weights);
        _weights =
        [
            RandomAdapter.Of(Config, 4, 1),
            RandomAdapter.Of(Config, 6, 2, IsLanguage),
            RandomAdapter.Of(Config, 16, 3, name => name.EndsWith("q_proj", StringComparison.Ordinal) || name.EndsWith("v_proj", StringComparison.Ordinal) || name == "lm_head"),
            RandomAdapter.Of(Config, 32, 4, name => IsLanguage(name) && !name.Contains("layers.1", StringComparison.Ordinal)),
            RandomAdapter.Of(Config, 70, 5, name => IsLanguage(name) && !name.Contains("attn", StringComparison.Ordinal)),
        ];
        _adapters = [.. _weights.Select(_decoder.Adapt)];
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        Array.ForEach(_adapters, adapter => adapter.Dispose());
        Array.ForEach(_weights, adapter => adapter.Dispose());
        _decoder.Dispose();
        _team.Dispose();
        _cache.Dispose();
        _network.Dispose();
        _reference.Dispose();
    }

    [Fact]
    public void Decode_OfPromptsAndThenTokens_GivesEveryRowWhatItsAdapterAloneDoes()
    {
        int[] owners = [2, Base, 0, 3, 1, Base, 4];
        var texts = owners.Select((_, i) => Ids(i, 20 + i)).ToArray();
        var prompts = texts.Select((text, i) => (text[..(5 + (3 * i))], 0, owners[i])).ToArray();
        var logits = owners.Select(_ => new List<float>()).ToArray();

        Collect(prompts);
        for (var at = 0; at < 15; at++)
        {
            // In another order with every step; those whose text has ended are gone.
            Collect([.. Enumerable.Range(0, owners.Length).Select(i => (i + at) % owners.Length).Where(i => prompts[i].Item1.Length + at < texts[i].Length)
                .Select(i => (texts[i][(prompts[i].Item1.Length + at)..(prompts[i].Item1.Length + at + 1)], prompts[i].Item1.Length + at, i))], byIndex: true);
        }

        for (var i = 0; i < owners.Length; i++)
        {
            AssertClose(Expected(texts[i], owners[i]), [.. logits[i]]);
        }

        void Collect((long[] Ids, int Start, int Owner)[] rows, bool byIndex = false)
        {
            var sequences = rows.Select((row, i) => byIndex ? row.Owner : i).ToArray();
            var all = Run([.. rows.Select((row, i) => (row.Ids, row.Start, owners[sequences[i]], sequences[i]))]);
            for (int i = 0, from = 0; i < rows.Length; from += rows[i].Ids.Length * Vocabulary, i++)
            {
                logits[sequences[i]].AddRange(all[from..(from + (rows[i].Ids.Length * Vocabulary))]);
            }
        }
    }

    [Fact]
    public void Decode_WithAnAdapter_EqualsTheNetworkThatHasItInItsWeights()
    {
        for (var adapter = 0; adapter < _adapters.Length; adapter++)
        {
            var ids = Ids(adapter, 50);
            using var scope = NewDisposeScope();
            using var merged = new LlavaNetwork(Config, new Merged(new Rounded(new RandomWeights(4), ScalarType.Float32), _weights[adapter]), ScalarType.Float32, CPU);

            AssertClose(Logits(merged, ids, null), Run([(ids, 0, adapter, 0)]));
        }
    }

    [Fact]
    public void Decode_WithAnAdapter_IsFarFromTheBase()
    {
        var ids = Ids(1, 30);
        var plain = Run([(ids, 0, Base, 0)]);

        Assert.All(Enumerable.Range(0, _adapters.Length), adapter => Assert.True(Difference(plain, Run([(ids, 0, adapter, 0)])) > 0.3));
    }

    [Fact]
    public void Decode_OfScoredRowsInAnyOrder_GivesEachItsOwn()
    {
        var all = Run([(Ids(1, 4), 0, 1, 0), (Ids(2, 3), 0, Base, 1), (Ids(3, 5), 0, 2, 2)]);
        Fill([(Ids(1, 4), 0, 1, 0), (Ids(2, 3), 0, Base, 1), (Ids(3, 5), 0, 2, 2)]);
        _step.Sampled.Clear();
        _step.Sampled.AddRange([11, 3, 5, 2, 8]);

        var some = Decode();

        for (var i = 0; i < 5; i++)
        {
            var row = new[] { 11, 3, 5, 2, 8 }[i];
            Assert.True(Difference(all[(row * Vocabulary)..((row + 1) * Vocabulary)], some[(i * Vocabulary)..((i + 1) * Vocabulary)]) < 1e-5);
        }
    }

    [Fact]
    public void Decode_WhenAdaptersOverlap_IsRefused()
    {
        Fill([(Ids(1, 4), 0, 1, 0)]);
        _step.Adapters.Add(new AdapterRows(_adapters[0], 3, 1));

        Assert.Throws<ArgumentException>(Decode);
    }

    /// <summary>Our kernels alone promise it.</summary>
    protected void AssertMixtureChangesNoBit() => Gen.Select(Gen.Int[Base, 4], Gen.Int[1, 60]).Array[1, 8].SelectMany(rows => Gen.Shuffle(Enumerable.Range(0, rows.Length).ToArray()).Select(order => (rows, order))).Sample(
        (rows, order) =>
        {
            var (sequences, from) = (order.Where(i => rows.Take(i).Sum(row => row.Item2) < 190).Select(i => (Ids(i, rows[i].Item2), 0, rows[i].Item1, i)).ToArray(), 0);
            var together = Run(sequences);
            foreach (var (ids, start, owner, index) in sequences)
            {
                Assert.Equal(Run([(ids, start, owner, index)]), together[from..(from += ids.Length * Vocabulary)]);
            }
        },
        iter: 20,
        threads: 1);

    protected void AssertTokensAllocateNothing()
    {
        var logits = new float[3 * Vocabulary];
        Step(10);
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
                _step.Batch.Add(All.AsSpan(sequence * SequenceBlocks, SequenceBlocks), position, 1);
                _step.Ids.Add(sequence);
                _step.Sampled.Add(sequence);
                _step.Adapters.Add(new AdapterRows(_adapters[sequence], sequence, 1));
            }

            _decoder.Decode(_step, logits);
        }
    }

    private static readonly int[] All = [.. Enumerable.Range(0, 64)];

    private static bool IsLanguage(string name) => name == "lm_head" || name.StartsWith("language_model.layers.", StringComparison.Ordinal);

    private static long[] Ids(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(Vocabulary - 1))];
    }

    private float[] Run((long[] Ids, int Start, int Owner, int Sequence)[] rows)
    {
        Fill(rows);
        return Decode();
    }

    private void Fill((long[] Ids, int Start, int Owner, int Sequence)[] rows)
    {
        foreach (var (ids, start, owner, sequence) in rows)
        {
            if (owner != Base)
            {
                _step.Adapters.Add(new AdapterRows(_adapters[owner], _step.Ids.Count, ids.Length));
            }

            _step.Batch.Add(All.AsSpan(sequence * SequenceBlocks, SequenceBlocks), start, ids.Length);
            _step.Sampled.AddRange(Enumerable.Range(_step.Ids.Count, ids.Length).Select(row => (long)row));
            _step.Ids.AddRange(ids);
        }
    }

    private float[] Decode()
    {
        var logits = new float[_step.Sampled.Count * Vocabulary];
        _decoder.Decode(_step, logits);
        _step.Clear();
        return logits;
    }

    private float[] Expected(long[] ids, int owner)
    {
        using var adapter = owner == Base ? null : new LoraAdapter(_weights[owner], ScalarType.Float32, CPU);
        return Logits(_reference, ids, adapter is null ? null : AdapterBatch.Whole(adapter));
    }

    private static float[] Logits(LlavaNetwork network, long[] ids, AdapterBatch? adapters)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        return network.Logits(network.Forward(network.Embed(tensor(ids)), arange(ids.Length, dtype: ScalarType.Int64), new DenseAttention(1, ids.Length), adapters), adapters).data<float>().ToArray();
    }

    private void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(Difference(expected, actual), 0, _tolerance);
    }

    private static double Difference(float[] expected, float[] actual)
    {
        var mean = expected.Average();
        return Math.Sqrt(expected.Zip(actual).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => Math.Pow(value - mean, 2)));
    }
}

public sealed class Float32AdaptedDecoderTests() : AdaptedDecoderTests(ScalarType.Float32, 5e-6)
{
    [Fact]
    public void Decode_InAnyMixture_ChangesNoBitOfARow() => AssertMixtureChangesNoBit();

    [Fact]
    public void Decode_OfOneTokenEach_OnceWarm_AllocatesNothing() => AssertTokensAllocateNothing();
}

public sealed class BFloat16AdaptedDecoderTests() : AdaptedDecoderTests(ScalarType.BFloat16, 0.03)
{
    [Fact]
    public void Decode_InAnyMixture_ChangesNoBitOfARow() => AssertMixtureChangesNoBit();

    [Fact]
    public void Decode_OfOneTokenEach_OnceWarm_AllocatesNothing() => AssertTokensAllocateNothing();
}

/// <summary>Factors of 8 bits as the base's weights, beside references in float32.</summary>
public sealed class Q8AdaptedDecoderTests() : AdaptedDecoderTests(ScalarType.BFloat16, 0.05, WeightFormat.Q8)
{
    [Fact]
    public void Decode_InAnyMixture_ChangesNoBitOfARow() => AssertMixtureChangesNoBit();

    [Fact]
    public void Decode_OfOneTokenEach_OnceWarm_AllocatesNothing() => AssertTokensAllocateNothing();
}

/// <summary>Factors of 8 bits beside weights of 4, whose error is nearly all there is: as much as the base's own tests allow it.</summary>
public sealed class Q4AdaptedDecoderTests() : AdaptedDecoderTests(ScalarType.Float32, 0.3, WeightFormat.Q4)
{
    [Fact]
    public void Decode_InAnyMixture_ChangesNoBitOfARow() => AssertMixtureChangesNoBit();

    [Fact]
    public void Decode_OfOneTokenEach_OnceWarm_AllocatesNothing() => AssertTokensAllocateNothing();
}

public sealed class TorchAdaptedDecoderTests() : AdaptedDecoderTests(ScalarType.Float32, 5e-6, isTorch: true);

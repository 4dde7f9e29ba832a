using CsCheck;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Language;
using LlavaCluster.Model.Tests.Network;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

public sealed class TorchDecoderTests
{
    private const int Vocabulary = 64;
    private const int Blocks = 96;
    private const int MostSequences = 6;
    private const int MostLength = 90;
    private const int MostTokens = MostSequences * (MostLength + 9);
    private const double Tolerance = 2e-5; // logits are of the order of 1

    [Fact]
    public void Decode_OfAnyMixedSteps_EqualsThePlainForwardOfEveryRowsText() => Shapes.Sample(
        (text, blockSize, seed) =>
        {
            using var scope = NewDisposeScope();
            using var mode = inference_mode();
            using var network = Network(text, seed);
            using var cache = Poisoned(text, (MostTokens / blockSize) + MostSequences, blockSize);
            using var decoder = new TorchDecoder(network, cache, TokenBans.None);
            Compare(network, decoder, new MixedBatches(new Random(seed), Vocabulary, blockSize, cache.Blocks), blockSize);
        },
        iter: 12);

    [Fact]
    public void Decode_OfAnyMixedSteps_EqualsOurKernels() => Gen.Int[0, 1000].Sample(
        seed =>
        {
            var text = Shape(heads: 4, kvHeads: 2, headDim: 32);
            const int BlockSize = 16;
            using var network = Network(text, seed);
            using var team = new KernelTeam(1);
            using var cache = Poisoned(text, Blocks, BlockSize);
            using var ours = new KvCache(text, Blocks, BlockSize, ScalarType.Float32, CPU);
            using var decoder = new TorchDecoder(network, cache, TokenBans.None);
            using var kernels = PagedDecoder.For(network, ours, team, mostTokens: 512);
            Assert.False(kernels.Picks);
            var (load, step) = (new MixedBatches(new Random(seed), Vocabulary, BlockSize, Blocks), new DecoderStep(BlockSize));
            for (var i = 0; i < 8; i++)
            {
                load.Next(step, MostSequences, MostLength);
                var (expected, actual) = (new float[load.Rows.Count * Vocabulary], new float[load.Rows.Count * Vocabulary]);
                kernels.Decode(step, expected);
                decoder.Decode(step, actual);
                AssertClose(expected, actual);
            }
        },
        iter: 5);

    [Fact]
    public void Decode_ABrokenSequence_LeavesItsNeighboursAndThoseWhoGetItsBlocksAlone()
    {
        const int BlockSize = 4;
        var text = Shape(heads: 4, kvHeads: 2, headDim: 8);
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var network = Network(text, 3);
        using var cache = Poisoned(text, 8, BlockSize);
        using var decoder = new TorchDecoder(network, cache, TokenBans.None);
        var features = full([1, text.Hidden], float.NaN);
        var step = new DecoderStep(BlockSize);
        step.Batch.Add([3, 5], 0, 6);
        step.Batch.Add([1], 0, 3);
        step.Ids.AddRange([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        step.Features.Add(new FeatureRows(1, features, 0, 1));
        step.Sampled.AddRange([5, 8]);
        var logits = new float[2 * Vocabulary];

        decoder.Decode(step, logits);
        Assert.All(logits[..Vocabulary], logit => Assert.True(float.IsNaN(logit)));
        AssertClose(Expected(network, [7, 8, 9]), logits[Vocabulary..]);

        step.Clear();
        step.Batch.Add([5, 3], 0, 5);
        step.Ids.AddRange([7, 8, 9, 1, 2]);
        step.Sampled.Add(4);
        decoder.Decode(step, logits);
        AssertClose(Expected(network, [7, 8, 9, 1, 2]), logits[..Vocabulary]);
    }

    [Fact]
    public void Decode_PicksBesideLogits_GivesEachItsOwn()
    {
        const int BlockSize = 4;
        var text = Shape(heads: 2, kvHeads: 1, headDim: 8);
        using var scope = NewDisposeScope();
        using var network = Network(text, 8);
        using var cache = Poisoned(text, 8, BlockSize);
        using var plain = new TorchDecoder(network, cache, TokenBans.None);
        var step = new DecoderStep(BlockSize);
        step.Batch.Add([3, 5], 0, 6);
        step.Ids.AddRange([1, 2, 3, 4, 5, 6]);
        step.Sampled.AddRange([0, 1, 2, 3, 4, 5]);
        var all = new float[6 * Vocabulary];
        plain.Decode(step, all);
        var best = all.Chunk(Vocabulary).Select(row => row.IndexOf(row.Max())).ToArray();

        using var decoder = new TorchDecoder(network, cache, new TokenBans([best[1]], [best[3]]));
        step.Sampled.Clear();
        step.Sampled.AddRange([4, 2]);
        step.Picked.AddRange([new(0, false), new(1, false), new(3, true), new(3, false)]);
        var (logits, picks) = (new float[2 * Vocabulary], new int[4]);
        decoder.Decode(step, logits, picks);

        Assert.Equal([.. all[(4 * Vocabulary)..(5 * Vocabulary)], .. all[(2 * Vocabulary)..(3 * Vocabulary)]], logits);
        Assert.Equal([Highest(0, best[1]), Highest(1, best[1]), Highest(3, best[1], best[3]), Highest(3, best[1])], picks);

        int Highest(int row, params int[] banned) =>
            Enumerable.Range(0, Vocabulary).Except(banned).MaxBy(id => all[(row * Vocabulary) + id]);
    }

    [Theory]
    [InlineData(Vocabulary, 0, 0)] // no such word
    [InlineData(0, 128, 0)] // beyond the model's positions
    [InlineData(0, 0, 8)] // no such block
    public void Decode_OutsideATable_IsRefusedBeforeTheDeviceSeesIt(long id, int position, int block)
    {
        var text = Shape(heads: 2, kvHeads: 1, headDim: 8);
        using var network = Network(text, 8);
        using var cache = Poisoned(text, 8, 128);
        using var decoder = new TorchDecoder(network, cache, TokenBans.None);
        var step = new DecoderStep(128);
        step.Batch.Add([block, 1], position, 1);
        step.Ids.Add(id);

        Assert.Throws<ArgumentOutOfRangeException>(() => decoder.Decode(step, []));
        Assert.Equal(0, decoder.Link.Uploads);
    }

    [Fact]
    public void Decode_LeavesNothingButWhatItKeeps()
    {
        var text = Shape(heads: 2, kvHeads: 1, headDim: 8);
        using var network = Network(text, 8);
        using var cache = Poisoned(text, 8, 4);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var decoder = new TorchDecoder(network, cache, TokenBans.None))
        {
            var step = new DecoderStep(4);
            step.Batch.Add([0, 1], 0, 6);
            step.Ids.AddRange([1, 2, 3, 4, 5, 6]);
            step.Picked.Add(new PickedRow(5, true));
            decoder.Decode(step, [], new int[1]);
            var held = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            decoder.Decode(step, [], new int[1]);
            Assert.Equal(held, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static readonly Gen<(TextConfig Text, int BlockSize, int Seed)> Shapes =
        from heads in Gen.OneOf(Gen.Const((1, 1)), Gen.Const((4, 4)), Gen.Const((4, 2)), Gen.Const((6, 2)))
        from headDim in Gen.OneOf(Gen.Const(8), Gen.Const(16))
        from blockSize in Gen.OneOf(Gen.Const(1), Gen.Const(4), Gen.Const(16))
        from seed in Gen.Int[0, 100_000]
        select (Shape(heads.Item1, heads.Item2, headDim), blockSize, seed);

    private static TextConfig Shape(int heads, int kvHeads, int headDim) =>
        new() { VocabSize = Vocabulary, Hidden = 32, Intermediate = 32, Layers = 2, Heads = heads, KvHeads = kvHeads, HeadDim = headDim, MaxPositions = 128 };

    private static LlavaNetwork Network(TextConfig text, int seed) => new(TinyConfig.With(text), new RandomWeights(seed), ScalarType.Float32, CPU);

    // What memory holds that nobody has written: the worst there is.
    private static KvCache Poisoned(TextConfig text, int blocks, int blockSize)
    {
        var cache = new KvCache(text, blocks, blockSize, ScalarType.Float32, CPU);
        using var scope = NewDisposeScope();
        var slots = arange((long)blocks * blockSize);
        var poison = full([(long)blocks * blockSize, text.KvHeads, text.HeadDim], float.NaN);
        for (var layer = 0; layer < text.Layers; layer++)
        {
            cache.Write(layer, slots, poison, poison);
        }

        return cache;
    }

    private static void Compare(LlavaNetwork network, TorchDecoder decoder, MixedBatches load, int blockSize)
    {
        var step = new DecoderStep(blockSize);
        for (var i = 0; i < 8; i++)
        {
            load.Next(step, MostSequences, MostLength);
            var logits = new float[load.Rows.Count * Vocabulary];
            decoder.Decode(step, logits);
            for (var row = 0; row < load.Rows.Count; row++)
            {
                AssertClose(Expected(network, load.Rows[row]), logits[(row * Vocabulary)..((row + 1) * Vocabulary)]);
            }
        }

        Assert.Equal((8, 8), (decoder.Link.Uploads, decoder.Link.Downloads));
    }

    private static float[] Expected(LlavaNetwork network, long[] ids)
    {
        using var scope = NewDisposeScope();
        var hidden = network.Forward(network.Embed(tensor(ids)), arange(ids.Length, dtype: ScalarType.Int64), new DenseAttention(1, ids.Length));
        return network.Logits(hidden.narrow(0, ids.Length - 1, 1)).data<float>().ToArray();
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], Tolerance);
        }
    }
}

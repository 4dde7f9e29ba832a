using CsCheck;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Operators;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

public sealed class AttentionPlanTests
{
    private const int BlockSize = 16;

    // 7B: a token's key and value are 16 KiB, so that the padding one batch may have is 128 blocks.
    private static readonly TextConfig Vicuna7 = new() { Layers = 1, Heads = 32, KvHeads = 32, HeadDim = 128 };

    private readonly AttentionPlan _plan = new(Vicuna7, BlockSize, sizeof(short));

    [Fact]
    public void Of_SingleTokens_IsOneBatchInPackedOrder()
    {
        _plan.Of(Batch((100, 1), (3, 1), (260, 1)));

        Assert.Equal([new AttentionBatch(0, 3, 1, 20)], _plan.Batches); // 17 blocks in steps of 4
        Assert.True(_plan.IsPlain);
    }

    [Fact]
    public void Of_SingleTokensGuessesAndChunks_BatchesEachKind()
    {
        _plan.Of(Batch((40, 20), (9, 1), (64, 4), (50, 1), (20, 3), (5, 0)));

        Assert.Equal([new AttentionBatch(0, 2, 1, 4), new AttentionBatch(2, 2, 4, 4), new AttentionBatch(4, 1, 20, 3)], _plan.Batches);
        Assert.Equal([25, 20, 21, 22, 23, 24, 26, 27, 28, 28], _plan.Lanes[..10]);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => (long)i), _plan.Lanes[10..]);
        Assert.False(_plan.IsPlain);
    }

    [Fact]
    public void Of_AShortSequenceBesideMuchLongerOnes_SplitsWhereMostWouldBePadding()
    {
        _plan.Of(Batch((4096, 1), (16, 1), (1900, 1), (32, 1)));

        Assert.Equal([1, 1, 2], _plan.Batches.Select(batch => batch.Sequences));
        Assert.Equal([256, 128, 2], _plan.Batches.Select(batch => batch.Blocks));
    }

    [Fact]
    public void Of_MoreThanTheScratchHolds_Splits()
    {
        _plan.Of(Batch([.. Enumerable.Repeat((4096, 1), 9)]));

        Assert.Equal([3, 3, 3], _plan.Batches.Select(batch => batch.Sequences)); // 64 MiB each, and a mask
    }

    [Fact]
    public void AddTable_PadsWithTheSequencesOwnFirstBlock()
    {
        var batch = new PagedBatch(BlockSize);
        batch.Add([7, 3, 9], 40, 1);
        batch.Add([5], 2, 1);
        _plan.Of(batch);
        var table = new List<long>();

        _plan.AddTable(_plan.Batches[0], table);

        Assert.Equal([7, 3, 9, 5, 5, 5], table);
    }

    [Fact]
    public void Bucket_IsWideEnoughAndAtMostAQuarterWider() => Gen.Int[1, 100_000].Sample(blocks =>
    {
        var bucket = AttentionPlan.Bucket(blocks);
        Assert.InRange(bucket, blocks, blocks * 1.25);
        Assert.Equal(bucket, AttentionPlan.Bucket(bucket));
    });

    [Fact]
    public void Bucket_HasFewSizes() => Assert.Equal(4 * 7, Enumerable.Range(33, 4096 - 32).Select(AttentionPlan.Bucket).Distinct().Count());

    [Fact]
    public void Of_AnyBatch_GivesEveryTokenOneLaneOfItsOwnSequence() => Gen.Select(Gen.Int[1, 5000], Gen.Int[1, 40]).Array[0, 30].Sample(spans =>
    {
        var batch = Batch([.. spans.Select(span => (Math.Max(span.Item1, span.Item2), span.Item2))]);
        var plan = new AttentionPlan(Vicuna7, BlockSize, sizeof(short));
        plan.Of(batch);

        Assert.Equal(plan.Batches.Sum(each => each.Lanes), plan.Lanes.Count);
        Assert.Equal(spans.Length, plan.Batches.Sum(each => each.Sequences));
        Assert.Equal(Enumerable.Range(0, batch.Tokens).Select(token => (long)token), plan.Home.Select(lane => plan.Lanes[(int)lane]));
        foreach (var each in plan.Batches.Where(each => each.Sequences > 1))
        {
            Assert.InRange((long)each.Sequences * each.Blocks * BlockSize * (16 << 10), 0, AttentionPlan.MostScratch);
        }
    });

    /// <summary>Sequences by context and rows; their blocks are their own.</summary>
    private static PagedBatch Batch(params (int Context, int Rows)[] sequences)
    {
        var (batch, next) = (new PagedBatch(BlockSize), 0);
        foreach (var (context, rows) in sequences.Where(sequence => sequence.Rows > 0))
        {
            int[] blocks = [.. Enumerable.Range(next, (context + BlockSize - 1) / BlockSize)];
            next += blocks.Length;
            batch.Add(blocks, context - rows, rows);
        }

        return batch;
    }
}

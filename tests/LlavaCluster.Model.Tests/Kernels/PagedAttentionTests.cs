using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Language;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels;

public sealed class PagedAttentionTests
{
    private const int BlockSize = 4;

    private static readonly TextConfig Text = new() { Layers = 2, Heads = 6, KvHeads = 2, HeadDim = 8 };

    [Theory, InlineData(1), InlineData(3), InlineData(13)]
    public void Attend_InChunksOverScatteredBlocksBesideAnotherSequence_EqualsDenseAttention(int chunk)
    {
        using var scope = NewDisposeScope();
        set_num_threads(1);
        const int Length = 13;
        using var random = new Generator(5, CPU);
        var query = randn([Length, Text.Heads, Text.HeadDim], generator: random);
        var key = randn([Length, Text.KvHeads, Text.HeadDim], generator: random);
        var value = randn([Length, Text.KvHeads, Text.HeadDim], generator: random);
        var expected = new DenseAttention(1, Length).Attend(1, query, key, value);

        using var cache = new KvCache(Text, 12, BlockSize, ScalarType.Float32, CPU);
        int[] blocks = [7, 2, 11, 0], others = [5, 1];
        var batch = new PagedBatch(BlockSize);
        for (var start = 0; start < Length; start += chunk)
        {
            var count = Math.Min(chunk, Length - start);
            batch.Clear();
            batch.Add(others, 3, 2);
            batch.Add(blocks, start, count);
            Assert.Equal(2 + count, batch.Tokens);
            var attention = new PagedAttention(cache, batch, CPU);
            var output = attention.Attend(1, Packed(query), Packed(key), Packed(value));
            var difference = (output.narrow(0, 2, count) - expected.narrow(0, start, count)).abs().max().item<float>();
            Assert.InRange(difference, 0, 1e-6);

            Tensor Packed(Tensor whole) => cat([whole.narrow(0, 0, 2), whole.narrow(0, start, count)], 0);
        }
    }

    [Fact]
    public void Attend_LeavesOnlyItsResult()
    {
        using var cache = new KvCache(Text, 4, BlockSize, ScalarType.Float32, CPU);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (NewDisposeScope())
        {
            var batch = new PagedBatch(BlockSize);
            batch.Add([2], 0, 3);
            var attention = new PagedAttention(cache, batch, CPU);
            var held = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            var (query, key) = (zeros(3, Text.Heads, Text.HeadDim), zeros(3, Text.KvHeads, Text.HeadDim));
            attention.Attend(0, query, key, key);
            Assert.Equal(held + 3, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Add_WhenTheBlocksDoNotReach_NamesTheNumbers()
    {
        var fault = Assert.Throws<ArgumentException>(() => new PagedBatch(BlockSize).Add([1], 2, 3));
        Assert.Equal("Positions 2..4 need 2 blocks of 4; there are 1.", fault.Message);
    }
}

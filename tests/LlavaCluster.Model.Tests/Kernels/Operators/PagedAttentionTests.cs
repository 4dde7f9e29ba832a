using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using LlavaCluster.Model.Language;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

public sealed class PagedAttentionTests : IDisposable
{
    private const int BlockSize = 4;
    private const int Shared = 3;

    private static readonly TextConfig Text = new() { Layers = 2, Heads = 6, KvHeads = 2, HeadDim = 8 };

    private readonly KvCache _cache = new(Text, 12, BlockSize, ScalarType.Float32, CPU);
    private readonly DeviceLink _link = new(CPU);
    private readonly DeviceConstants _constants = new(64, ScalarType.Float32, CPU);
    private readonly AttentionPlan _plan = new(Text, BlockSize, sizeof(float));
    private readonly DecoderStep _step = new(BlockSize);

    public void Dispose()
    {
        _cache.Dispose();
        _link.Dispose();
        _constants.Dispose();
    }

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

        int[] blocks = [7, 2, 11, 0], others = [5, 1];
        for (var start = 0; start < Length; start += chunk)
        {
            var count = Math.Min(chunk, Length - start);
            _step.Clear();
            _step.Batch.Add(others, 3, 2);
            _step.Batch.Add(blocks, start, count);
            Assert.Equal(2 + count, _step.Batch.Tokens);
            var output = Attention().Attend(1, Packed(query), Packed(key), Packed(value));
            var difference = (output.narrow(0, 2, count) - expected.narrow(0, start, count)).abs().max().item<float>();
            Assert.InRange(difference, 0, 1e-6);

            Tensor Packed(Tensor whole) => cat([whole.narrow(0, 0, 2), whole.narrow(0, start, count)], 0);
        }
    }

    [Fact]
    public void Attend_LeavesOnlyItsResult()
    {
        using (NewDisposeScope())
        {
            _step.Batch.Add([2], 0, 3);
            Attention();
        }

        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (NewDisposeScope())
        {
            var attention = Attention();
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

    private PagedAttention Attention()
    {
        _plan.Of(_step.Batch);
        return new PagedAttention(_cache, _plan, StepInputs.Upload(_step, _plan, [], _link), _constants, Shared);
    }
}

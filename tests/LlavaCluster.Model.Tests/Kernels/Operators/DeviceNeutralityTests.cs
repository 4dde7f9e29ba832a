using System.Runtime.InteropServices;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

/// <summary>What a GPU would see of a step, without one: everything happens on the device of the network, with one copy up and one down. <see cref="MetaDevice"/> is that device.</summary>
public sealed class DeviceNeutralityTests : IDisposable
{
    private const int BlockSize = 16;

    private static readonly TextConfig Text = new() { VocabSize = 64, Hidden = 32, Intermediate = 32, Layers = 2, Heads = 4, KvHeads = 2, HeadDim = 8, MaxPositions = 128 };

    private readonly LlavaNetwork _network = new(TinyConfig.With(Text), new Shapes(), ScalarType.BFloat16, MetaDevice.Device);
    private readonly KvCache _cache = new(Text, 32, BlockSize, ScalarType.BFloat16, MetaDevice.Device);
    private readonly DecoderStep _step = new(BlockSize);

    public void Dispose()
    {
        _cache.Dispose();
        _network.Dispose();
    }

    [Theory]
    [InlineData(true, true, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, false)] // a prompt's chunk: one number says that it is done
    [InlineData(true, true, true)]
    [InlineData(false, false, true)]
    public void Decode_OfAMixedStep_CopiesOnceUpAndOnceDown(bool samples, bool picks, bool adapts)
    {
        using var scope = NewDisposeScope();
        using var decoder = new TorchDecoder(_network, _cache, new TokenBans([63, 60], [2]));
        var features = empty(6, Text.Hidden, ScalarType.BFloat16, MetaDevice.Device);
        Add([0, 1], 0, 25); // a chunk of a prompt with a picture
        _step.Features.Add(new FeatureRows(3, features, 1, 5));
        Add([2], 7, 1);
        Add([3, 4, 5], 33, 1);
        Add([6, 7], 20, 4); // guesses
        Add([8], 2, 9);
        _step.Sampled.AddRange(samples ? [24, 27, 28, 29, 30] : []);
        _step.Picked.AddRange(picks ? [new(25, false), new(26, true), new(31, true)] : []);
        using var weights = RandomAdapter.Of(_network.Config, 4, 1, name => name == "lm_head" || name.StartsWith("language_model.layers.", StringComparison.Ordinal));
        using var adapter = decoder.Adapt(weights);
        _step.Adapters.AddRange(adapts ? [new(adapter, 25, 1), new(adapter, 27, 4)] : []);
        MetaDevice.Begin();

        decoder.Decode(_step, new float[5 * Text.VocabSize], new int[3]);

        Assert.Empty(MetaDevice.Mixed);
        Assert.Equal((1, 1), (MetaDevice.Uploads, MetaDevice.Downloads));
        Assert.Equal((1, 1), (decoder.Link.Uploads, decoder.Link.Downloads));
    }

    [Fact]
    public void MetaDevice_SeesWhatItIsThereFor()
    {
        using var scope = NewDisposeScope();
        MetaDevice.Begin();
        var there = tensor(new[] { 1f, 2f }, device: MetaDevice.Device);
        Assert.Equal((1, 0), (MetaDevice.Uploads, MetaDevice.Downloads));

        there.cpu();
        Assert.Equal((1, 1), (MetaDevice.Uploads, MetaDevice.Downloads));

        there.index_select(0, tensor(new long[] { 0 }));
        Assert.Single(MetaDevice.Mixed);
        Assert.Throws<ExternalException>(() => there.mul(ones(2)));

        there.sum().item<float>();
        Assert.Equal((1, 2), (MetaDevice.Uploads, MetaDevice.Downloads));
    }

    private void Add(int[] blocks, int start, int count)
    {
        _step.Batch.Add(blocks, start, count);
        _step.Ids.AddRange(Enumerable.Repeat(1L, count));
    }

    private sealed class Shapes : IWeightSource
    {
        public Tensor Take(string name, params long[] shape) => empty(shape, ScalarType.BFloat16, MetaDevice.Device);
    }
}

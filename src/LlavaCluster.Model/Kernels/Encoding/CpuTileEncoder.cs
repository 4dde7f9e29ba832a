using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Vision;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>
/// Tower and projector with our own kernels, a tile at a time: one has rows enough to use what a processor computes, and all tiles then need the memory of one. Between the products
/// numbers are float32. An adapter's projector is libtorch's, and so is all of an encoding whose adapter changes the tower.
///
/// A block is seven loops that the team shares: norm, queries with keys and values, keys and values to blocks, attention, output; norm with the first product of the MLP, the second.
/// </summary>
internal sealed unsafe class CpuTileEncoder<TElement, T> : ITileEncoder
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int RowsPerChunk = 8;

    private readonly LlavaNetwork _network;
    private readonly TorchTileEncoder _operators;
    private readonly VisionConfig _vision;
    private readonly KernelTeam _team;
    private readonly EncoderWeights _weights;
    private readonly EncoderBuffers _buffers;
    private readonly TilePatches<TElement, T> _patches;
    private readonly TileAttention<TElement, T> _attention;
    private readonly TileProjector<TElement, T> _projector;
    private readonly KernelWork _norm, _project, _output, _widen, _narrow;
    private readonly int _rows;

    private EncoderLayerWeights _layer = null!;
    private Norm _normWeights;
    private float* _hidden;

    /// <summary>As <see cref="TileEncoder.For"/>, which checks that the network fits.</summary>
    public CpuTileEncoder(LlavaNetwork network, KernelTeam team, WeightFormat format)
    {
        (_network, _operators, _vision, _team) = (network, new TorchTileEncoder(network), network.Config.Vision, team);
        _rows = 1 + (_vision.Grid * _vision.Grid);
        _weights = new EncoderWeights(network, format);
        var widened = _weights.Layers.Count == 0 ? 0 : (long)_rows * _weights.Layers[0].Widen.Matrix.Chunk(0).Count;
        var scratch = Math.Max(Math.Max(widened, _vision.Hidden), TileAttention<TElement, T>.ScratchFloats(_vision, _rows));
        _buffers = new EncoderBuffers(_rows, _vision, format, team.Threads, scratch);
        _patches = new TilePatches<TElement, T>(_vision, _weights.Patches, team);
        _attention = new TileAttention<TElement, T>(_vision, _rows, _buffers, team);
        _projector = new TileProjector<TElement, T>(network.Config, _weights.Projector, team);
        (_norm, _project, _output, _widen, _narrow) = (NormRows, Project, Output, Widen, Narrow);
    }

    public int Stages => Math.Max(1, _weights.Layers.Count);

    public ITileEncoding Begin(Tensor pixels, LoraAdapter? adapter = null) =>
        adapter is { ChangesTower: true } ? _operators.Begin(pixels, adapter) : new CpuTileEncoding<TElement, T>(this, _projector, _network, adapter, pixels);

    public void Dispose()
    {
        _projector.Dispose();
        _attention.Dispose();
        _patches.Dispose();
        _buffers.Dispose();
        _weights.Dispose();
        _operators.Dispose();
    }

    /// <summary>Hidden state 0 of a tile.</summary>
    /// <param name="pixels">[3, S, S], normalised.</param>
    /// <param name="hidden">[1 + patches, hidden]</param>
    public void Embed(float* pixels, float* hidden) => _patches.Embed(pixels, hidden);

    /// <summary>One block over one tile, in place.</summary>
    /// <param name="hidden">[1 + patches, hidden]</param>
    public void Block(int block, float* hidden)
    {
        _layer = _weights.Layers[block];
        _hidden = hidden;
        Normalise(_layer.AttentionNorm);
        _team.Run(3 * _layer.Query.Matrix.Chunks, _project);
        _attention.Run(_layer.Output.Matrix.Kernel);
        _team.Run(_layer.Output.Matrix.Chunks, _output);
        Normalise(_layer.MlpNorm);
        _team.Run(_layer.Widen.Matrix.Chunks, _widen);
        _team.Run(_layer.Narrow.Matrix.Chunks, _narrow);
    }

    private void Normalise(Norm weights)
    {
        _normWeights = weights;
        _team.Run((_rows + RowsPerChunk - 1) / RowsPerChunk, _norm);
    }

    private void NormRows(int chunk, int thread)
    {
        var kernel = _layer.Query.Matrix.Kernel; // the first product of the MLP takes as many inputs
        var normed = _buffers.Scratch(thread);
        for (var row = chunk * RowsPerChunk; row < Math.Min(_rows, (chunk + 1) * RowsPerChunk); row++)
        {
            RowKernels.LayerNorm(_hidden + ((nint)row * _vision.Hidden), (float*)_normWeights.Weight, (float*)_normWeights.Bias, normed, _vision.Hidden, (float)_vision.LayerNormEpsilon);
            kernel.Store(normed, _buffers.Normed + ((nint)row * kernel.RowBytes), 0, _vision.Hidden);
        }
    }

    private void Project(int chunk, int thread)
    {
        var each = _layer.Query.Matrix.Chunks;
        var (linear, target) = (chunk / each) switch
        {
            0 => (_layer.Query, (nint)_buffers.Queries),
            1 => (_layer.Key, (nint)_buffers.Keys),
            _ => (_layer.Value, (nint)_buffers.Values),
        };
        linear.Apply(chunk % each, _buffers.Normed, _rows, (float*)target, add: false);
    }

    private void Output(int chunk, int thread) => _layer.Output.Apply(chunk, _buffers.Attended, _rows, _hidden, add: true);

    private void Widen(int chunk, int thread)
    {
        var (matrix, bias) = _layer.Widen;
        var (first, count) = matrix.Chunk(chunk);
        var wide = _buffers.Scratch(thread);
        var narrow = _layer.Narrow.Matrix.Kernel;
        matrix.Kernel.Multiply(_buffers.Normed, _rows, matrix.Row(first), count, wide, count, add: false);
        for (var row = 0; row < _rows; row++)
        {
            ActivationKernels.Apply(_vision.Activation, wide + ((nint)row * count), (float*)bias + first, count);
            narrow.Store(wide + ((nint)row * count), _buffers.Inner + ((nint)row * narrow.RowBytes), first, count);
        }
    }

    private void Narrow(int chunk, int thread) => _layer.Narrow.Apply(chunk, _buffers.Inner, _rows, _hidden, add: true);
}

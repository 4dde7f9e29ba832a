using System.Runtime.InteropServices;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// The language model over a paged batch with our own kernels: bfloat16 weights and cache, float32 between. Prompt chunks and single tokens take the same path; no tensor is
/// made and nothing is allocated. A row's result is the same, bit for bit, whatever else is in the batch.
///
/// A layer is six loops that the team shares: norm, queries with keys and values, rotation and cache, attention, output; norm, gate with up, down.
/// </summary>
public sealed unsafe class CpuDecoder : IDisposable
{
    private const int ChunkBytes = 128 << 10; // of weights: fits a core's second-level cache beside the rows
    private const int RowsPerChunk = 8;

    private readonly LlavaNetwork _network;
    private readonly TextConfig _text;
    private readonly KvCache _cache;
    private readonly KernelTeam _team;
    private readonly DecoderWeights _weights;
    private readonly RotaryAngles _angles;
    private readonly AttentionKernel _attention;
    private readonly DecoderBuffers _buffers;
    private readonly List<AttentionTask> _tasks = [];
    private readonly KernelWork _norm, _project, _rotate, _attend, _output, _gate, _down, _head;
    private readonly int _shared, _queryWidth, _keyWidth;

    private PagedBatch _batch = null!;
    private DecoderLayerWeights _layer = null!;
    private nint _normWeight;
    private int _layerIndex;
    private int _sampled;
    private float* _logits;

    /// <param name="mostTokens">Of one batch.</param>
    /// <param name="mostSampled">Rows of one batch whose logits are asked for.</param>
    /// <exception cref="NotSupportedException"><see cref="Supports"/> says no.</exception>
    public CpuDecoder(LlavaNetwork network, KvCache cache, KernelTeam team, int mostTokens, int mostSampled)
    {
        if (!Supports(network))
        {
            throw new NotSupportedException("The kernels need bfloat16 weights on the CPU without biases, and axes that are multiples of 32.");
        }

        (_network, _text, _cache, _team) = (network, network.Config.Text, cache, team);
        (_shared, _queryWidth, _keyWidth) = (_text.Heads / _text.KvHeads, _text.Heads * _text.HeadDim, _text.KvHeads * _text.HeadDim);
        _weights = new DecoderWeights(network);
        _angles = new RotaryAngles(_text);
        _attention = new AttentionKernel(_text.HeadDim, _shared, cache.BlockSize, _keyWidth);
        _buffers = new DecoderBuffers(_text, mostTokens, mostSampled, team.Threads, _attention.ScratchFloats(_text.MaxPositions));
        (_norm, _project, _rotate, _attend, _output, _gate, _down, _head) = (NormRows, Project, RotateRows, Attend, Output, Gate, Down, Head);
    }

    public static bool Supports(LlavaNetwork network) => DecoderWeights.Fit(network);

    /// <summary>Rows [0, ids) of the batch to come become the ids' word embeddings.</summary>
    public void Embed(ReadOnlySpan<long> ids)
    {
        _buffers.Require(ids.Length);
        for (var row = 0; row < ids.Length; row++)
        {
            RowKernels.Widen(_weights.Embedding.Row((int)ids[row]), _buffers.Hidden + ((nint)row * _text.Hidden), _text.Hidden);
        }
    }

    /// <summary>Rows [row, row + features) become these features, [features, hidden] in bfloat16 and contiguous.</summary>
    public void Place(int row, Tensor features)
    {
        var source = (ushort*)TensorMemory.Address(features);
        RowKernels.Widen(source, _buffers.Hidden + ((nint)row * _text.Hidden), (int)features.numel());
    }

    /// <summary>Runs the batch, whose embeddings are in place: writes its keys and values to the cache and leaves its hidden states for <see cref="Logits"/>.</summary>
    public void Forward(PagedBatch batch)
    {
        _buffers.Require(batch.Tokens);
        _batch = batch;
        PlanAttention();
        for (_layerIndex = 0; _layerIndex < _text.Layers; _layerIndex++)
        {
            _layer = _weights.Layers[_layerIndex];
            Norm(_layer.AttentionNorm, batch.Tokens);
            _team.Run(Chunks(_layer.Query) + (2 * Chunks(_layer.Key)), _project);
            _team.Run(RowChunks(batch.Tokens), _rotate);
            _team.Run(_tasks.Count, _attend);
            _team.Run(Chunks(_layer.Output), _output);
            Norm(_layer.MlpNorm, batch.Tokens);
            _team.Run(Chunks(_layer.Gate), _gate);
            _team.Run(Chunks(_layer.Down), _down);
        }
    }

    /// <summary>Next-token logits [rows, vocab] of rows of the last batch, in float32.</summary>
    public void Logits(ReadOnlySpan<long> rows, Span<float> logits)
    {
        for (var i = 0; i < rows.Length; i++)
        {
            RowKernels.RmsNorm(
                _buffers.Hidden + ((nint)rows[i] * _text.Hidden), (float*)_weights.FinalNorm, _buffers.Sampled + ((nint)i * _text.Hidden), _text.Hidden, (float)_text.RmsNormEpsilon);
        }

        fixed (float* target = logits)
        {
            _logits = target;
            _sampled = rows.Length;
            _team.Run(Chunks(_weights.Head), _head);
        }
    }

    public void Dispose()
    {
        _weights.Dispose();
        _angles.Dispose();
        _buffers.Dispose();
    }

    private int Tokens => _batch.Tokens;

    private void Norm(nint weight, int rows)
    {
        _normWeight = weight;
        _team.Run(RowChunks(rows), _norm);
    }

    private void NormRows(int chunk, int thread)
    {
        for (var row = chunk * RowsPerChunk; row < Math.Min(Tokens, (chunk + 1) * RowsPerChunk); row++)
        {
            RowKernels.RmsNorm(_buffers.Hidden + ((nint)row * _text.Hidden), (float*)_normWeight, _buffers.Normed + ((nint)row * _text.Hidden), _text.Hidden, (float)_text.RmsNormEpsilon);
        }
    }

    private void Project(int chunk, int thread)
    {
        var (queries, keys) = (Chunks(_layer.Query), Chunks(_layer.Key));
        if (chunk < queries)
        {
            Multiply(_layer.Query, chunk, _buffers.Normed, _buffers.Queries, _queryWidth, add: false);
        }
        else if (chunk < queries + keys)
        {
            Multiply(_layer.Key, chunk - queries, _buffers.Normed, _buffers.Keys, _keyWidth, add: false);
        }
        else
        {
            Multiply(_layer.Value, chunk - queries - keys, _buffers.Normed, _buffers.Values, _keyWidth, add: false);
        }
    }

    private void RotateRows(int chunk, int thread)
    {
        var slots = CollectionsMarshal.AsSpan(_batch.Slots);
        var positions = CollectionsMarshal.AsSpan(_batch.Positions);
        var keys = (ushort*)_cache.KeyAddress(_layerIndex);
        var values = (ushort*)_cache.ValueAddress(_layerIndex);
        for (var row = chunk * RowsPerChunk; row < Math.Min(Tokens, (chunk + 1) * RowsPerChunk); row++)
        {
            RotateHeads(_buffers.Queries + ((nint)row * _queryWidth), _text.Heads, positions[row]);
            var key = _buffers.Keys + ((nint)row * _keyWidth);
            RotateHeads(key, _text.KvHeads, positions[row]);
            RowKernels.Round(key, keys + ((nint)slots[row] * _keyWidth), _keyWidth);
            RowKernels.Round(_buffers.Values + ((nint)row * _keyWidth), values + ((nint)slots[row] * _keyWidth), _keyWidth);
        }
    }

    private void RotateHeads(float* heads, int count, long position)
    {
        for (var head = 0; head < count; head++)
        {
            RowKernels.Rotate(heads + (head * _text.HeadDim), _angles.Cosines(position), _angles.Sines(position), _text.HeadDim);
        }
    }

    private void Attend(int chunk, int thread)
    {
        var task = _tasks[chunk];
        var span = _batch.Spans[task.Span];
        var blocks = CollectionsMarshal.AsSpan(_batch.Blocks).Slice(span.FirstBlock, span.Blocks);
        var keys = (ushort*)_cache.KeyAddress(_layerIndex);
        var values = (ushort*)_cache.ValueAddress(_layerIndex);
        var head = (nint)task.KeyHead * _text.HeadDim;
        for (var row = task.FirstRow; row < task.FirstRow + task.Rows; row++)
        {
            var context = span.Context - span.Count + (row - span.Row) + 1;
            var queries = ((nint)row * _queryWidth) + (head * _shared);
            _attention.Attend(_buffers.Queries + queries, keys + head, values + head, blocks, context, _buffers.Scratch(thread), _buffers.Attended + queries);
        }
    }

    private void Output(int chunk, int thread) => Multiply(_layer.Output, chunk, _buffers.Attended, _buffers.Hidden, _text.Hidden, add: true);

    private void Gate(int chunk, int thread)
    {
        var (first, count) = Part(_layer.Gate, chunk);
        var gate = _buffers.Scratch(thread);
        var up = gate + ((nint)Tokens * count);
        var kernel = ProductKernel.ForBFloat16(_text.Hidden);
        kernel.Multiply(_buffers.Normed, Tokens, _layer.Gate.Row(first), count, gate, count, add: false);
        kernel.Multiply(_buffers.Normed, Tokens, _layer.Up.Row(first), count, up, count, add: false);
        for (var row = 0; row < Tokens; row++)
        {
            RowKernels.SwiGlu(gate + ((nint)row * count), up + ((nint)row * count), _buffers.Inner + ((nint)row * _text.Intermediate) + first, count);
        }
    }

    private void Down(int chunk, int thread) => Multiply(_layer.Down, chunk, _buffers.Inner, _buffers.Hidden, _text.Hidden, add: true);

    private void Head(int chunk, int thread)
    {
        var (first, count) = Part(_weights.Head, chunk);
        ProductKernel.ForBFloat16(_text.Hidden).Multiply(_buffers.Sampled, _sampled, _weights.Head.Row(first), count, _logits + first, _text.VocabSize, add: false);
    }

    private void Multiply(Matrix matrix, int chunk, ushort* x, float* y, nint stride, bool add)
    {
        var (first, count) = Part(matrix, chunk);
        ProductKernel.ForBFloat16(matrix.Inputs).Multiply(x, Tokens, matrix.Row(first), count, y + first, stride, add);
    }

    private static int OutputsPerChunk(Matrix matrix) =>
        Math.Max(ChunkBytes / (matrix.Inputs * sizeof(ushort)) / ProductKernel.InputMultiple, 1) * ProductKernel.InputMultiple;

    private static int Chunks(Matrix matrix) => (matrix.Outputs + OutputsPerChunk(matrix) - 1) / OutputsPerChunk(matrix);

    private static (int First, int Count) Part(Matrix matrix, int chunk)
    {
        var first = chunk * OutputsPerChunk(matrix);
        return (first, Math.Min(OutputsPerChunk(matrix), matrix.Outputs - first));
    }

    private static int RowChunks(int rows) => (rows + RowsPerChunk - 1) / RowsPerChunk;

    private void PlanAttention()
    {
        _tasks.Clear();
        for (var span = 0; span < _batch.Spans.Count; span++)
        {
            var (row, count) = (_batch.Spans[span].Row, _batch.Spans[span].Count);
            for (var first = 0; first < count; first += RowsPerChunk)
            {
                for (var head = 0; head < _text.KvHeads; head++)
                {
                    _tasks.Add(new AttentionTask(span, row + first, Math.Min(RowsPerChunk, count - first), head));
                }
            }
        }
    }

    private readonly record struct AttentionTask(int Span, int FirstRow, int Rows, int KeyHead);
}

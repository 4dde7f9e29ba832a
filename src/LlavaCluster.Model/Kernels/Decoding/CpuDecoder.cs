using System.Diagnostics;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Adapters;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// The language model with our own kernels. Prompt chunks and single tokens take the same path; no tensor is made and nothing is allocated. A row's result is the same,
/// bit for bit, whatever else is in the batch.
///
/// A layer is six loops that the team shares: norm, queries with keys and values, rotation and cache, attention, output; norm, gate with up, down. Where rows have adapters, a short loop goes
/// before each product, and the product's own loop adds what they change.
/// </summary>
internal sealed unsafe class CpuDecoder<TElement, T> : IPagedDecoder
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int RowsPerChunk = 8;
    private const int Caller = 0;

    private readonly TextConfig _text;
    private readonly KernelTeam _team;
    private readonly DecoderWeights _weights;
    private readonly DecoderBuffers _buffers;
    private readonly AdapterProducts _adapters;
    private readonly DecoderAttention<TElement, T> _attention;
    private readonly KernelWork _norm, _project, _output, _gate, _down, _head;
    private readonly int _queryWidth, _keyWidth;
    private readonly WeightFormat _factors;

    private PagedBatch _batch = null!;
    private DecoderLayerWeights _layer = null!;
    private nint _normWeight;
    private int _sampled;
    private float* _logits;

    /// <summary>As <see cref="PagedDecoder.For"/>, which checks that the network fits.</summary>
    public CpuDecoder(LlavaNetwork network, KvCache cache, KernelTeam team, int mostTokens, WeightFormat format)
    {
        (_text, _team) = (network.Config.Text, team);
        // Adapters' factors read the rows that the base's products read, which are 8-bit integers for weights of 8 bits and of 4.
        _factors = ProductKernel.IsInteger(format) ? WeightFormat.Q8 : format;
        (_queryWidth, _keyWidth) = (_text.Heads * _text.HeadDim, _text.KvHeads * _text.HeadDim);
        _weights = new DecoderWeights(network, format, team);
        var scratch = Math.Max(GateScratch(mostTokens, _weights.Layers[0].Gate.Chunk(0).Count), DecoderAttention<TElement, T>.ScratchFloats(_text));
        _buffers = new DecoderBuffers(_text, format, mostTokens, team.Threads, Math.Max(_text.Hidden, scratch));
        _adapters = new AdapterProducts(_text, mostTokens, _factors, team);
        _attention = new DecoderAttention<TElement, T>(_text, cache, team, _buffers);
        (_norm, _project, _output, _gate, _down, _head) = (NormRows, Project, Output, Gate, Down, Head);
    }

    public long WeightBytes => _weights.Head.Bytes + _weights.Layers.Sum(layer => new[] { layer.Query, layer.Key, layer.Value, layer.Output, layer.Gate, layer.Up, layer.Down }.Sum(matrix => matrix.Bytes));

    public bool Picks => false; // rows of logits are where they are wanted

    public bool AdaptsAnywhere => true;

    public IDecoderAdapter Adapt(LoraWeights weights) => new KernelAdapter(weights, _text, _factors);

    public void Decode(DecoderStep step, Span<float> logits, Span<int> picks = default)
    {
        Debug.Assert(step.Picked.Count == 0, "This decoder does not pick.");
        _buffers.Require(step.Ids.Count);
        _adapters.Plan(step.Adapters, step.Ids.Count);
        Embed(step);
        Forward(step.Batch);
        Score(step.Sampled, logits);
    }

    public void Dispose()
    {
        _weights.Dispose();
        _attention.Dispose();
        _adapters.Dispose();
        _buffers.Dispose();
    }

    private int Tokens => _batch.Tokens;

    private void Embed(DecoderStep step)
    {
        for (var row = 0; row < step.Ids.Count; row++)
        {
            RowKernels.Load<TElement, T>((T*)_weights.Embedding + (step.Ids[row] * _text.Hidden), _buffers.Hidden + ((nint)row * _text.Hidden), _text.Hidden);
        }

        foreach (var part in step.Features)
        {
            var features = (T*)TensorMemory.Address(part.Features) + ((nint)part.First * _text.Hidden);
            RowKernels.Load<TElement, T>(features, _buffers.Hidden + ((nint)part.Row * _text.Hidden), part.Count * _text.Hidden);
        }
    }

    private void Forward(PagedBatch batch)
    {
        _batch = batch;
        _attention.Plan(batch);
        for (var layer = 0; layer < _text.Layers; layer++)
        {
            _layer = _weights.Layers[layer];
            Norm(_layer.AttentionNorm, batch.Tokens);
            _adapters.Begin(layer, AdaptedProduct.Attention, _buffers.Normed);
            _team.Run(_layer.Query.Chunks + (2 * _layer.Key.Chunks), _project);
            _attention.Run(layer, _layer.Output.Kernel);
            _adapters.Begin(layer, AdaptedProduct.Output, _buffers.Attended);
            _team.Run(_layer.Output.Chunks, _output);
            Norm(_layer.MlpNorm, batch.Tokens);
            _adapters.Begin(layer, AdaptedProduct.Gate, _buffers.Normed);
            _team.Run(_layer.Gate.Chunks, _gate);
            _adapters.Begin(layer, AdaptedProduct.Down, _buffers.Inner);
            _team.Run(_layer.Down.Chunks, _down);
        }
    }

    private void Score(List<long> rows, Span<float> logits)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            NormRow((int)rows[i], _weights.FinalNorm, _weights.Head.Kernel, _buffers.Sampled, i, Caller);
        }

        _adapters.PlanScored(rows);
        _adapters.Begin(0, AdaptedProduct.Head, _buffers.Sampled);

        fixed (float* target = logits)
        {
            _logits = target;
            _sampled = rows.Count;
            _team.Run(rows.Count == 0 ? 0 : _weights.Head.Chunks, _head);
        }
    }

    private void Norm(nint weight, int rows)
    {
        _normWeight = weight;
        _team.Run(RowChunks(rows), _norm);
    }

    private void NormRows(int chunk, int thread)
    {
        for (var row = chunk * RowsPerChunk; row < Math.Min(Tokens, (chunk + 1) * RowsPerChunk); row++)
        {
            NormRow(row, _normWeight, _layer.Query.Kernel, _buffers.Normed, row, thread);
        }
    }

    private void NormRow(int row, nint weight, IProductKernel kernel, byte* to, int toRow, int thread)
    {
        var normed = _buffers.Scratch(thread, _text.Hidden);
        RowKernels.RmsNorm(_buffers.Hidden + ((nint)row * _text.Hidden), (float*)weight, normed, _text.Hidden, (float)_text.RmsNormEpsilon);
        kernel.Store(normed, to + ((nint)toRow * kernel.RowBytes), 0, _text.Hidden);
    }

    private void Project(int chunk, int thread)
    {
        var (queries, keys) = (_layer.Query.Chunks, _layer.Key.Chunks);
        if (chunk < queries)
        {
            _layer.Query.Multiply(chunk, _buffers.Normed, Tokens, _buffers.Queries, _queryWidth, add: false);
            _adapters.Add(0, _layer.Query, chunk, _buffers.Queries, _queryWidth);
        }
        else if (chunk < queries + keys)
        {
            _layer.Key.Multiply(chunk - queries, _buffers.Normed, Tokens, _buffers.Keys, _keyWidth, add: false);
            _adapters.Add(1, _layer.Key, chunk - queries, _buffers.Keys, _keyWidth);
        }
        else
        {
            _layer.Value.Multiply(chunk - queries - keys, _buffers.Normed, Tokens, _buffers.Values, _keyWidth, add: false);
            _adapters.Add(2, _layer.Value, chunk - queries - keys, _buffers.Values, _keyWidth);
        }
    }

    private void Output(int chunk, int thread)
    {
        _layer.Output.Multiply(chunk, _buffers.Attended, Tokens, _buffers.Hidden, _text.Hidden, add: true);
        _adapters.Add(0, _layer.Output, chunk, _buffers.Hidden, _text.Hidden);
    }

    private void Gate(int chunk, int thread)
    {
        var (first, count) = _layer.Gate.Chunk(chunk);
        var gate = _buffers.Scratch(thread, GateScratch(Tokens, count));
        var up = gate + ((nint)Tokens * count);
        var down = _layer.Down.Kernel;
        _layer.Gate.Kernel.Multiply(_buffers.Normed, Tokens, _layer.Gate.Row(first), count, gate, count, add: false);
        _layer.Up.Kernel.Multiply(_buffers.Normed, Tokens, _layer.Up.Row(first), count, up, count, add: false);
        _adapters.Add(0, first, count, gate, count);
        _adapters.Add(1, first, count, up, count);
        for (var row = 0; row < Tokens; row++)
        {
            RowKernels.SwiGlu(gate + ((nint)row * count), up + ((nint)row * count), count);
            down.Store(gate + ((nint)row * count), _buffers.Inner + ((nint)row * down.RowBytes), first, count);
        }
    }

    private void Down(int chunk, int thread)
    {
        _layer.Down.Multiply(chunk, _buffers.Inner, Tokens, _buffers.Hidden, _text.Hidden, add: true);
        _adapters.Add(0, _layer.Down, chunk, _buffers.Hidden, _text.Hidden);
    }

    private void Head(int chunk, int thread)
    {
        _weights.Head.Multiply(chunk, _buffers.Sampled, _sampled, _logits, _text.VocabSize, add: false);
        _adapters.Add(0, _weights.Head, chunk, _logits, _text.VocabSize);
    }

    private static long GateScratch(int tokens, int outputs) => 2L * tokens * outputs; // gate and up

    private static int RowChunks(int rows) => (rows + RowsPerChunk - 1) / RowsPerChunk;
}

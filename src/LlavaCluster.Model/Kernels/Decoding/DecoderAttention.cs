using System.Runtime.InteropServices;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Attention;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>
/// The middle of a layer, from queries, keys and values to what the heads attended: rotation and the cache, then attention in tasks that the team shares. One thread; owns
/// nothing but its angles.
/// </summary>
internal sealed unsafe class DecoderAttention<TElement, T> : IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int RowsPerTask = 8;
    private const int RotatedRows = 64, RotatedHeadRows = 96; // of a chunk: at most, and what is worth claiming
    private const int Together = AttentionKernel<TElement, T>.MostQueries;

    private readonly TextConfig _text;
    private readonly KvCache _cache;
    private readonly KernelTeam _team;
    private readonly DecoderBuffers _buffers;
    private readonly RotaryAngles _angles;
    private readonly AttentionKernel<TElement, T> _kernel;
    private readonly List<AttentionTask> _tasks = [];
    private readonly KernelWork _rotate, _attend;
    private readonly int _shared, _queryWidth, _keyWidth;

    private PagedBatch _batch = null!;
    private IProductKernel _output = null!;
    private int _layer;
    private int _headsPerChunk;

    public DecoderAttention(TextConfig text, KvCache cache, KernelTeam team, DecoderBuffers buffers)
    {
        (_text, _cache, _team, _buffers) = (text, cache, team, buffers);
        (_shared, _queryWidth, _keyWidth) = (text.Heads / text.KvHeads, text.Heads * text.HeadDim, text.KvHeads * text.HeadDim);
        _angles = new RotaryAngles(text);
        _kernel = new AttentionKernel<TElement, T>(text.HeadDim, (nint)_keyWidth * AttentionKernel<TElement, T>.BlockSize, text.MaxPositions);
        (_rotate, _attend) = (RotateRows, Attend);
    }

    /// <summary>Floats of scratch that a thread needs.</summary>
    public static long ScratchFloats(TextConfig text) => AttentionKernel<TElement, T>.ScratchFloats(text.HeadDim, text.MaxPositions) + (Together * text.HeadDim);

    /// <summary>Splits a batch's attention into tasks, for every layer.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A sequence is longer than the model's positions.</exception>
    public void Plan(PagedBatch batch)
    {
        _batch = batch;
        _headsPerChunk = Math.Clamp(RotatedHeadRows / Math.Clamp(batch.Tokens, 1, RotatedRows), 1, _text.KvHeads);
        _tasks.Clear();
        for (var span = 0; span < batch.Spans.Count; span++)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Spans[span].Context, _text.MaxPositions, nameof(batch));
            var (row, count) = (batch.Spans[span].Row, batch.Spans[span].Count);
            for (var first = 0; first < count; first += RowsPerTask)
            {
                for (var head = 0; head < _text.KvHeads; head++)
                {
                    _tasks.Add(new AttentionTask(span, row + first, Math.Min(RowsPerTask, count - first), head));
                }
            }
        }
    }

    /// <param name="layer">Whose cache it is.</param>
    /// <param name="output">The kernel that multiplies what was attended.</param>
    public void Run(int layer, IProductKernel output)
    {
        (_layer, _output) = (layer, output);
        _team.Run(HeadGroups * ((_batch.Tokens + RotatedRows - 1) / RotatedRows), _rotate);
        _team.Run(_tasks.Count, _attend);
    }

    public void Dispose()
    {
        _kernel.Dispose();
        _angles.Dispose();
    }

    private int HeadGroups => (_text.KvHeads + _headsPerChunk - 1) / _headsPerChunk;

    // Heads are what the threads share: a cache line holds many tokens of one head, and two threads that write rows of one block would take its lines from each other.
    private void RotateRows(int chunk, int thread)
    {
        var (firstRow, firstHead) = (chunk / HeadGroups * RotatedRows, chunk % HeadGroups * _headsPerChunk);
        var slots = CollectionsMarshal.AsSpan(_batch.Slots);
        var positions = CollectionsMarshal.AsSpan(_batch.Positions);
        for (var head = firstHead; head < Math.Min(_text.KvHeads, firstHead + _headsPerChunk); head++)
        {
            var keys = (T*)_cache.KeyAddress(_layer) + HeadAt(head);
            var values = (T*)_cache.ValueAddress(_layer) + HeadAt(head);
            for (var row = firstRow; row < Math.Min(_batch.Tokens, firstRow + RotatedRows); row++)
            {
                RotateHeads(_buffers.Queries + ((nint)row * _queryWidth) + (head * _shared * _text.HeadDim), _shared, positions[row]);
                var at = ((nint)row * _keyWidth) + (head * _text.HeadDim);
                RotateHeads(_buffers.Keys + at, 1, positions[row]);
                var isLast = row + 1 == _batch.Tokens || slots[row + 1] != slots[row] + 1;
                _kernel.Write(_buffers.Keys + at, _buffers.Values + at, keys, values, slots[row], isLast);
            }
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
        var keys = (T*)_cache.KeyAddress(_layer) + HeadAt(task.KeyHead);
        var values = (T*)_cache.ValueAddress(_layer) + HeadAt(task.KeyHead);
        var attended = _buffers.Scratch(thread, ScratchFloats(_text));
        var scratch = attended + (Together * _text.HeadDim);
        Span<nint> queries = stackalloc nint[Together];
        Span<int> contexts = stackalloc int[Together];
        for (int first = 0, count, all = task.Rows * _shared; first < all; first += count)
        {
            count = Math.Min((all + Parts(all) - 1) / Parts(all), all - first);
            for (var i = 0; i < count; i++)
            {
                var row = task.FirstRow + ((first + i) / _shared);
                queries[i] = (nint)(_buffers.Queries + ((nint)row * _queryWidth) + HeadOf(task, first + i));
                contexts[i] = span.Context - span.Count + (row - span.Row) + 1;
            }

            _kernel.Attend(queries[..count], contexts[..count], keys, values, blocks, scratch, attended);
            for (var i = 0; i < count; i++)
            {
                var row = task.FirstRow + ((first + i) / _shared);
                _output.Store(attended + (i * _text.HeadDim), _buffers.Attended + ((nint)row * _output.RowBytes), HeadOf(task, first + i), _text.HeadDim);
            }
        }
    }

    private static int Parts(int queries) => (queries + Together - 1) / Together;

    // The first dimension, among all heads', of a task's query.
    private int HeadOf(AttentionTask task, int query) => ((task.KeyHead * _shared) + (query % _shared)) * _text.HeadDim;

    private nint HeadAt(int head) => (nint)head * _text.HeadDim * AttentionKernel<TElement, T>.BlockSize;

    private readonly record struct AttentionTask(int Span, int FirstRow, int Rows, int KeyHead);
}

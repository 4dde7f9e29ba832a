using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Attention;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>Attention of a tile's tokens to each other: keys and values into blocks as <see cref="AttentionKernel{TElement,T}"/> reads them, then heads and rows in tasks that the team shares.</summary>
internal sealed unsafe class TileAttention<TElement, T> : IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int Together = AttentionKernel<TElement, T>.MostQueries;
    private const int RowsPerTask = 6 * Together;
    private const int BlockSize = AttentionKernel<TElement, T>.BlockSize;

    private readonly int _rows, _hidden, _heads, _headDim;
    private readonly EncoderBuffers _buffers;
    private readonly KernelTeam _team;
    private readonly AttentionKernel<TElement, T> _kernel;
    private readonly NativeBuffer<T> _keys, _values;
    private readonly long[] _blocks;
    private readonly int[] _contexts;
    private readonly KernelWork _store, _attend;
    private IProductKernel _output = null!;

    public TileAttention(VisionConfig vision, int rows, EncoderBuffers buffers, KernelTeam team)
    {
        (_rows, _hidden, _heads, _headDim, _buffers, _team) = (rows, vision.Hidden, vision.Heads, vision.Hidden / vision.Heads, buffers, team);
        var blocks = (rows + BlockSize - 1) / BlockSize;
        _kernel = new AttentionKernel<TElement, T>(_headDim, (nint)_hidden * BlockSize, rows);
        (_keys, _values) = (new((long)blocks * BlockSize * _hidden), new((long)blocks * BlockSize * _hidden));
        _blocks = [.. Enumerable.Range(0, blocks).Select(block => (long)block)];
        _contexts = [.. Enumerable.Repeat(rows, Together)];
        (_store, _attend) = (StoreRows, Attend);
    }

    /// <summary>Floats of scratch that a thread needs.</summary>
    public static long ScratchFloats(VisionConfig vision, int rows) => AttentionKernel<TElement, T>.ScratchFloats(vision.Hidden / vision.Heads, rows) + (Together * vision.Hidden / vision.Heads);

    /// <param name="output">The kernel that multiplies what was attended.</param>
    public void Run(IProductKernel output)
    {
        _output = output;
        _team.Run(RowTasks, _store);
        _team.Run(RowTasks * _heads, _attend);
    }

    public void Dispose()
    {
        _kernel.Dispose();
        _keys.Dispose();
        _values.Dispose();
    }

    private int RowTasks => (_rows + RowsPerTask - 1) / RowsPerTask;

    private void StoreRows(int chunk, int thread)
    {
        for (var row = chunk * RowsPerTask; row < Math.Min(_rows, (chunk + 1) * RowsPerTask); row++)
        {
            var at = (nint)row * _hidden;
            for (var head = 0; head < _heads; head++)
            {
                _kernel.Write(_buffers.Keys + at + (head * _headDim), _buffers.Values + at + (head * _headDim), _keys.Pointer + HeadAt(head), _values.Pointer + HeadAt(head), row, isLast: row + 1 == _rows);
            }
        }
    }

    private void Attend(int chunk, int thread)
    {
        var (head, task) = (chunk / RowTasks, chunk % RowTasks);
        var attended = _buffers.Scratch(thread);
        var scratch = attended + (Together * _headDim);
        Span<nint> queries = stackalloc nint[Together];
        var end = Math.Min(_rows, (task + 1) * RowsPerTask);
        for (var row = task * RowsPerTask; row < end; row += Together)
        {
            var count = Math.Min(Together, end - row);
            for (var i = 0; i < count; i++)
            {
                queries[i] = (nint)(_buffers.Queries + ((nint)(row + i) * _hidden) + (head * _headDim));
            }

            _kernel.Attend(queries[..count], _contexts.AsSpan(0, count), _keys.Pointer + HeadAt(head), _values.Pointer + HeadAt(head), _blocks, scratch, attended);
            for (var i = 0; i < count; i++)
            {
                _output.Store(attended + (i * _headDim), _buffers.Attended + ((nint)(row + i) * _output.RowBytes), head * _headDim, _headDim);
            }
        }
    }

    private nint HeadAt(int head) => (nint)head * _headDim * BlockSize;
}

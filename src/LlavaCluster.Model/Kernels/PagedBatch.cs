namespace LlavaCluster.Model.Kernels;

/// <summary>Where the tokens of a packed batch lie in the <see cref="KvCache"/>: filled for each step, reused between steps. Plain numbers; one thread.</summary>
public sealed class PagedBatch(int blockSize)
{
    private readonly List<PagedSpan> _spans = [];
    private readonly List<long> _slots = [];
    private readonly List<long> _positions = [];
    private readonly List<long> _blocks = [];

    internal IReadOnlyList<PagedSpan> Spans => _spans;

    /// <summary>The cache slot of every token of the batch.</summary>
    internal List<long> Slots => _slots;

    /// <summary>Block ids of all spans, one after the other.</summary>
    internal List<long> Blocks => _blocks;

    /// <summary>The position of every token of the batch in its sequence.</summary>
    public List<long> Positions => _positions;

    public int Tokens => _slots.Count;

    public void Clear()
    {
        _spans.Clear();
        _slots.Clear();
        _positions.Clear();
        _blocks.Clear();
    }

    /// <summary>Appends positions start..start+count-1 of a sequence whose token t lies in <c>blocks[t / blockSize]</c>; everything before start is already in the cache.</summary>
    public void Add(ReadOnlySpan<int> blocks, int start, int count)
    {
        var context = start + count;
        var used = (context + blockSize - 1) / blockSize;
        if (count < 1 || start < 0 || used > blocks.Length)
        {
            throw new ArgumentException($"Positions {start}..{context - 1} need {used} blocks of {blockSize}; there are {blocks.Length}.");
        }

        _spans.Add(new PagedSpan(_slots.Count, count, context, _blocks.Count, used));
        for (var position = start; position < context; position++)
        {
            _positions.Add(position);
            _slots.Add(((long)blocks[position / blockSize] * blockSize) + (position % blockSize));
        }

        for (var i = 0; i < used; i++)
        {
            _blocks.Add(blocks[i]);
        }
    }

    /// <summary>Appends the slots behind every sequence's last token, up to the end of its block: what they hold belongs to nobody.</summary>
    internal void AddTails(List<long> target)
    {
        foreach (var span in _spans)
        {
            var last = _blocks[span.FirstBlock + span.Blocks - 1] * blockSize;
            for (var place = ((span.Context - 1) % blockSize) + 1; place < blockSize; place++)
            {
                target.Add(last + place);
            }
        }
    }
}

/// <summary>One sequence's part of a packed batch.</summary>
/// <param name="Row">Its first row in the batch.</param>
/// <param name="Count">Its rows.</param>
/// <param name="Context">Tokens it attends to, its own included.</param>
/// <param name="FirstBlock">Where its block ids begin in <see cref="PagedBatch.Blocks"/>.</param>
/// <param name="Blocks">How many there are.</param>
internal readonly record struct PagedSpan(int Row, int Count, int Context, int FirstBlock, int Blocks);

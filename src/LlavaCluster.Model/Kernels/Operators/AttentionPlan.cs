using System.Numerics;
using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>
/// Which sequences of a packed batch attend together. A batch of attention is a rectangle: its sequences get equally many query rows, a shorter one's last row several times, and
/// equally many blocks, a shorter one's first block several times. Sequences with one token each go together; so do those with a few, as answers with guesses have; a chunk of a
/// prompt goes alone. Where a batch would gather too much, or mostly padding, it is split. Plain numbers; filled anew for each step; one thread.
/// </summary>
internal sealed class AttentionPlan(TextConfig text, int blockSize, int elementBytes)
{
    /// <summary>Bytes that one batch may take of the device's memory for gathered keys and values and its mask, unless it is a single sequence: 256 MiB.</summary>
    public const long MostScratch = 256L << 20;

    // Not measured. A GPU reads so much in about the time in which it is told of another batch's operators.
    private const long MostPadding = 32L << 20;
    private const int FewRows = 16;

    private readonly List<int> _order = [];
    private readonly List<AttentionBatch> _batches = [];
    private readonly List<long> _lanes = [];
    private readonly List<long> _home = [];
    private PagedBatch _batch = null!;

    /// <summary>What attends together, in the order of <see cref="Lanes"/>.</summary>
    public IReadOnlyList<AttentionBatch> Batches => _batches;

    /// <summary>For every query row of the batches the token of the packed batch that it is.</summary>
    public List<long> Lanes => _lanes;

    /// <summary>For every token of the packed batch the query row that has its result.</summary>
    public List<long> Home => _home;

    /// <summary>The lanes are the packed batch as it is.</summary>
    public bool IsPlain { get; private set; }

    public void Of(PagedBatch batch)
    {
        _batch = batch;
        _order.Clear();
        _batches.Clear();
        _order.AddRange(Enumerable.Range(0, batch.Spans.Count));
        if (!TryTogether())
        {
            _order.Sort(Compare);
            Split();
        }

        Lay(batch.Tokens);
    }

    /// <summary>Appends the block ids of a batch, sequence by sequence, <see cref="AttentionBatch.Blocks"/> each.</summary>
    public void AddTable(AttentionBatch batch, List<long> target)
    {
        for (var i = 0; i < batch.Sequences; i++)
        {
            var span = Span(batch.First + i);
            for (var block = 0; block < batch.Blocks; block++)
            {
                target.Add(_batch.Blocks[span.FirstBlock + (block < span.Blocks ? block : 0)]);
            }
        }
    }

    /// <summary>Widths come in few sizes, four between a power of two and the next, so that shapes repeat and at most a quarter is padding.</summary>
    internal static int Bucket(int blocks)
    {
        var step = blocks <= 4 ? 1 : 1 << (BitOperations.Log2((uint)blocks - 1) - 2);
        return (blocks + step - 1) / step * step;
    }

    private PagedSpan Span(int place) => _batch.Spans[_order[place]];

    // In the packed order, which saves two copies a layer.
    private bool TryTogether()
    {
        if (_order.Count == 0 || (_order.Count > 1 && Kind(Span(0)) == SpanKind.Chunk))
        {
            return _order.Count == 0;
        }

        var all = new Draft(0);
        for (var i = 0; i < _order.Count; i++)
        {
            if (Kind(Span(i)) != Kind(Span(0)))
            {
                return false;
            }

            all = all.With(Span(i));
        }

        if (!Holds(all))
        {
            return false;
        }

        Close(all);
        return true;
    }

    private void Split()
    {
        var draft = new Draft(0);
        for (var i = 0; i < _order.Count; i++)
        {
            var more = draft.With(Span(i));
            var joins = draft.Sequences == 0 || (Kind(Span(i)) == Kind(Span(i - 1)) && Kind(Span(i)) != SpanKind.Chunk && Holds(more));
            if (!joins)
            {
                Close(draft);
                more = new Draft(i).With(Span(i));
            }

            draft = more;
        }

        Close(draft);
    }

    private bool Holds(Draft draft)
    {
        var token = 2L * text.KvHeads * text.HeadDim * elementBytes; // its key and value
        var mask = (long)draft.Rows * (text.Heads / text.KvHeads) * elementBytes;
        return draft.Sequences == 1
            || ((long)draft.Sequences * draft.Blocks * blockSize * (token + mask) <= MostScratch && ((long)draft.Sequences * draft.Blocks - draft.Used) * blockSize * token <= MostPadding);
    }

    private void Close(Draft draft) => _batches.Add(new AttentionBatch(draft.First, draft.Sequences, draft.Rows, draft.Blocks));

    private void Lay(int tokens)
    {
        _lanes.Clear();
        _home.Clear();
        System.Runtime.InteropServices.CollectionsMarshal.SetCount(_home, tokens);
        foreach (var batch in _batches)
        {
            for (var i = 0; i < batch.Sequences; i++)
            {
                var span = Span(batch.First + i);
                for (var row = 0; row < batch.Rows; row++)
                {
                    if (row < span.Count)
                    {
                        _home[span.Row + row] = _lanes.Count;
                    }

                    _lanes.Add(span.Row + Math.Min(row, span.Count - 1));
                }
            }
        }

        IsPlain = _lanes.Count == tokens;
        for (var i = 0; IsPlain && i < tokens; i++)
        {
            IsPlain = _lanes[i] == i;
        }
    }

    private int Compare(int left, int right)
    {
        var (a, b) = (_batch.Spans[left], _batch.Spans[right]);
        return Kind(a) != Kind(b) ? Kind(a).CompareTo(Kind(b)) : a.Blocks != b.Blocks ? b.Blocks.CompareTo(a.Blocks) : left.CompareTo(right);
    }

    private static SpanKind Kind(PagedSpan span) => span.Count == 1 ? SpanKind.One : span.Count <= FewRows ? SpanKind.Few : SpanKind.Chunk;

    private enum SpanKind
    {
        One,
        Few,
        Chunk,
    }

    /// <summary>A batch that is being put together.</summary>
    /// <param name="Used">Blocks of its sequences, without padding.</param>
    private readonly record struct Draft(int First, int Sequences = 0, int Rows = 0, int Blocks = 0, long Used = 0)
    {
        public Draft With(PagedSpan span)
        {
            var rows = span.Count <= FewRows ? (int)BitOperations.RoundUpToPowerOf2((uint)span.Count) : span.Count;
            return new Draft(First, Sequences + 1, Math.Max(Rows, rows), Math.Max(Blocks, Bucket(span.Blocks)), Used + span.Blocks);
        }
    }
}

/// <summary>Sequences that attend together.</summary>
/// <param name="First">Its first sequence in the plan's order.</param>
/// <param name="Sequences">How many.</param>
/// <param name="Rows">Query rows of each.</param>
/// <param name="Blocks">Blocks of each.</param>
internal readonly record struct AttentionBatch(int First, int Sequences, int Rows, int Blocks)
{
    public int Lanes => Sequences * Rows;
}

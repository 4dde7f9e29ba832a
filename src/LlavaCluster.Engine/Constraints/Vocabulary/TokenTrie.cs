namespace LlavaCluster.Engine.Constraints.Vocabulary;

/// <summary>
/// Token spellings as a tree of bytes, laid out in preorder so that a walk reads memory forwards and skips a whole branch in one step.
/// Immutable.
/// </summary>
internal sealed class TokenTrie
{
    private readonly List<byte> _bytes = [];
    private readonly List<int> _depths = [];
    private readonly List<int> _ends = [];
    private readonly List<int> _tokenEnds = [];
    private readonly List<int> _tokens = [];

    /// <param name="entries">Non-empty spellings; several ids may have the same one.</param>
    public TokenTrie(IEnumerable<(int Id, byte[] Bytes)> entries)
    {
        var sorted = entries.OrderBy(entry => entry.Bytes, ByteOrder.Instance).ThenBy(entry => entry.Id).ToArray();
        var open = new Stack<int>();
        byte[] previous = [];
        foreach (var (id, bytes) in sorted)
        {
            var shared = previous.AsSpan().CommonPrefixLength(bytes);
            Close(open, shared);
            for (var depth = shared; depth < bytes.Length; depth++)
            {
                open.Push(_bytes.Count);
                _bytes.Add(bytes[depth]);
                _depths.Add(depth + 1);
                _ends.Add(0);
                _tokenEnds.Add(_tokens.Count);
            }

            _tokens.Add(id);
            _tokenEnds[^1] = _tokens.Count;
            previous = bytes;
        }

        Close(open, 0);
    }

    public int Count => _bytes.Count;

    /// <summary>Bytes of the longest spelling.</summary>
    public int MaxDepth => _depths.Count == 0 ? 0 : _depths.Max();

    /// <summary>The byte on the way into a node.</summary>
    public byte ByteOf(int node) => _bytes[node];

    /// <summary>Bytes from the root to a node, at least 1.</summary>
    public int DepthOf(int node) => _depths[node];

    /// <summary>The first node after all below this one.</summary>
    public int EndOf(int node) => _ends[node];

    /// <summary>Ids spelled by the way to a node.</summary>
    public ReadOnlySpan<int> TokensAt(int node)
    {
        var first = node == 0 ? 0 : _tokenEnds[node - 1];
        return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tokens)[first.._tokenEnds[node]];
    }

    private void Close(Stack<int> open, int depth)
    {
        while (open.Count > depth)
        {
            _ends[open.Pop()] = _bytes.Count;
        }
    }

    private sealed class ByteOrder : IComparer<byte[]>
    {
        public static readonly ByteOrder Instance = new();

        public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}

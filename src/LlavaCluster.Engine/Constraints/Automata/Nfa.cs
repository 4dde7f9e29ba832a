namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>
/// A grammar as one graph of nodes, with what is needed to run it without dead ends. Immutable.
/// </summary>
internal sealed class Nfa
{
    /// <summary>The height of a node from which the end of its rule cannot be reached.</summary>
    public const int Unreachable = int.MaxValue / 2;

    private readonly NfaNode[] _nodes;
    private readonly int[] _starts;
    private readonly int[] _heights;

    private Nfa(NfaNode[] nodes, int[] starts)
    {
        _nodes = nodes;
        _starts = starts;
        _heights = Heights();
        (ByteClasses, Representatives) = Classes();
    }

    public ReadOnlySpan<NfaNode> Nodes => _nodes;

    /// <summary>Where each rule begins.</summary>
    public ReadOnlySpan<int> Starts => _starts;

    /// <summary>The least number of nested calls with which the end of its rule can be reached from a node; <see cref="Unreachable"/> if never.</summary>
    public ReadOnlySpan<int> NodeHeights => _heights;

    /// <summary>[256] Bytes that no node tells apart have the same class.</summary>
    public byte[] ByteClasses { get; }

    /// <summary>One byte of each class.</summary>
    public byte[] Representatives { get; }

    /// <exception cref="ConstraintSyntaxException">It is too large, no text satisfies it, or a rule begins with itself.</exception>
    public static Nfa Compile(Grammar grammar)
    {
        var (nodes, starts) = new NfaWriter().Write(grammar);
        var nfa = new Nfa(nodes, starts);
        if (nfa._heights[starts[0]] > ConstraintLimits.MaxStack)
        {
            var height = nfa._heights[starts[0]];
            throw new ConstraintSyntaxException(height >= Unreachable
                ? "no finite text can satisfy it"
                : $"its shortest text must nest at most {ConstraintLimits.MaxStack} deep; was {height}");
        }

        LeftRecursion.Refuse(nfa);
        return nfa;
    }

    // Knuth's generalisation of Dijkstra's algorithm (1977): the least height that is known is right, and settles those that wait for it.
    private int[] Heights()
    {
        var heights = new int[_nodes.Length];
        Array.Fill(heights, Unreachable);
        var waiting = Waiting();
        var open = new PriorityQueue<int, int>();
        open.EnqueueRange(Enumerable.Range(0, _nodes.Length).Where(index => _nodes[index].Kind == NfaNodeKind.End), 0);
        while (open.TryDequeue(out var index, out var height))
        {
            if (heights[index] != Unreachable)
            {
                continue;
            }

            heights[index] = height;
            foreach (var waiter in waiting[index])
            {
                if (heights[waiter] == Unreachable && Height(_nodes[waiter], heights) is var known && known < Unreachable)
                {
                    open.Enqueue(waiter, known);
                }
            }
        }

        return heights;
    }

    // By node, those whose height depends on its own.
    private ILookup<int, int> Waiting() => _nodes.Index()
        .SelectMany(entry => entry.Item.Kind switch
        {
            NfaNodeKind.Range => [entry.Item.Next],
            NfaNodeKind.Call => [entry.Item.Next, _starts[entry.Item.Rule]],
            _ => entry.Item.Targets,
        }, (entry, target) => (Target: target, Waiter: entry.Index))
        .ToLookup(edge => edge.Target, edge => edge.Waiter);

    private int Height(in NfaNode node, int[] heights) => node.Kind switch
    {
        NfaNodeKind.End => 0,
        NfaNodeKind.Range => heights[node.Next],
        NfaNodeKind.Call => Math.Max(heights[_starts[node.Rule]] + 1, heights[node.Next]),
        _ => node.Targets.Length == 0 ? Unreachable : node.Targets.Min(target => heights[target]),
    };

    private (byte[] Classes, byte[] Representatives) Classes()
    {
        var begins = new bool[257];
        begins[0] = true;
        foreach (var node in _nodes.Where(node => node.Kind == NfaNodeKind.Range))
        {
            begins[node.Low] = true;
            begins[node.High + 1] = true;
        }

        var classes = new byte[256];
        var representatives = new List<byte>();
        for (var value = 0; value < 256; value++)
        {
            if (begins[value])
            {
                representatives.Add((byte)value);
            }

            classes[value] = (byte)(representatives.Count - 1);
        }

        return (classes, [.. representatives]);
    }
}

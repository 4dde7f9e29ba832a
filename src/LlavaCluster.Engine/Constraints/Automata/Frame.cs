namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>A rule call that is open: where to go on when it ends, and the call around it. Equal stacks are the same object.</summary>
internal sealed class Frame(int returnNode, Frame? parent, long id)
{
    public int ReturnNode { get; } = returnNode;

    public Frame? Parent { get; } = parent;

    public int Depth { get; } = (parent?.Depth ?? 0) + 1;

    /// <summary>Orders stacks; never used twice.</summary>
    public long Id { get; } = id;
}

/// <summary>One reading of the text so far: the node it waits at and its open calls (null: none).</summary>
internal readonly record struct Configuration(int Node, Frame? Stack) : IComparable<Configuration>
{
    public int CompareTo(Configuration other)
    {
        var byNode = Node.CompareTo(other.Node);
        return byNode != 0 ? byNode : (Stack?.Id ?? 0).CompareTo(other.Stack?.Id ?? 0);
    }
}

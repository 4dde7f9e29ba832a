namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>Writes the rules of a grammar out as nodes, each rule from its end to its beginning (Thompson's construction).</summary>
internal sealed class NfaWriter
{
    private readonly List<NfaNode> _nodes = [];

    public (NfaNode[] Nodes, int[] Starts) Write(Grammar grammar)
    {
        var starts = new int[grammar.Rules.Count];
        for (var rule = 0; rule < starts.Length; rule++)
        {
            starts[rule] = Write(grammar.Rules[rule], Add(NfaNode.End));
        }

        return ([.. _nodes], starts);
    }

    /// <returns>The node from which the expression, then <paramref name="next"/>, is read.</returns>
    private int Write(GrammarNode expression, int next)
    {
        switch (expression)
        {
            case GrammarNode.Bytes bytes:
                return Add(NfaNode.Range(bytes.Low, bytes.High, next));
            case GrammarNode.Call call:
                return Add(NfaNode.Call(call.Rule, next));
            case GrammarNode.Sequence sequence:
                for (var index = sequence.Parts.Length - 1; index >= 0; index--)
                {
                    next = Write(sequence.Parts[index], next);
                }

                return next;
            case GrammarNode.Choice choice:
                return Add(NfaNode.Split([.. choice.Branches.Select(branch => Write(branch, next))]));
            case GrammarNode.Repeat repeat:
                return WriteRepeat(repeat, next);
            default:
                throw new ArgumentOutOfRangeException(nameof(expression), expression.GetType().Name, "No such expression.");
        }
    }

    private int WriteRepeat(GrammarNode.Repeat repeat, int next)
    {
        var end = next;
        if (repeat.Max is null)
        {
            next = Add(NfaNode.Split([]));
            _nodes[next] = NfaNode.Split([Write(repeat.Body, next), end]);
        }

        for (var copy = repeat.Min; copy < repeat.Max; copy++)
        {
            next = Add(NfaNode.Split([Write(repeat.Body, next), end]));
        }

        for (var copy = 0; copy < repeat.Min; copy++)
        {
            next = Write(repeat.Body, next);
        }

        return next;
    }

    private int Add(NfaNode node)
    {
        if (_nodes.Count == ConstraintLimits.MaxNodes)
        {
            throw new ConstraintSyntaxException($"written out it must have at most {ConstraintLimits.MaxNodes} nodes; it has more");
        }

        _nodes.Add(node);
        return _nodes.Count - 1;
    }
}

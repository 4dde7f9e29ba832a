namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>Numbered rules that may call each other. Rule 0 is the whole text.</summary>
internal sealed class Grammar
{
    private readonly List<GrammarNode> _rules = [GrammarNode.Never];
    private readonly Dictionary<string, GrammarNode> _shared = [];

    public IReadOnlyList<GrammarNode> Rules => _rules;

    /// <summary>Sets the whole text.</summary>
    public void DefineRoot(GrammarNode body) => _rules[0] = body;

    /// <summary>Makes room for a rule that is defined later, so that it can be called before.</summary>
    public GrammarNode.Call Declare()
    {
        _rules.Add(GrammarNode.Never);
        return new GrammarNode.Call(_rules.Count - 1);
    }

    public void Define(GrammarNode.Call rule, GrammarNode body) => _rules[rule.Rule] = body;

    /// <summary>A call of a rule of its own, so that repeating it does not repeat its nodes.</summary>
    public GrammarNode Indirect(GrammarNode body)
    {
        if (body is GrammarNode.Call)
        {
            return body;
        }

        var rule = Declare();
        Define(rule, body);
        return rule;
    }

    /// <summary>A rule under a name, made on first use: what is used often costs one node a use.</summary>
    public GrammarNode Shared(string name, Func<GrammarNode> body)
    {
        if (!_shared.TryGetValue(name, out var rule))
        {
            var declared = Declare();
            _shared.Add(name, rule = declared);
            Define(declared, body());
        }

        return rule;
    }
}

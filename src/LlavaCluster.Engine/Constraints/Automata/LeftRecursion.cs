namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>Refuses rules that call themselves before they read anything: a run could not tell how often.</summary>
internal static class LeftRecursion
{
    private const byte Open = 1;
    private const byte Done = 2;

    public static void Refuse(Nfa nfa)
    {
        var empty = RulesThatMayBeEmpty(nfa);
        var states = new byte[nfa.Starts.Length];
        for (var rule = 0; rule < states.Length; rule++)
        {
            Visit(nfa, rule, empty, states);
        }
    }

    // The stack of rules is explicit: a schema may chain thousands of references.
    private static void Visit(Nfa nfa, int first, bool[] empty, byte[] states)
    {
        var path = new Stack<(int Rule, Queue<int> Calls)>();
        Enter(first);
        while (path.TryPeek(out var top))
        {
            if (!top.Calls.TryDequeue(out var called))
            {
                states[top.Rule] = Done;
                path.Pop();
            }
            else if (states[called] == Open)
            {
                throw new ConstraintSyntaxException("a part of it refers to itself with no text before the reference");
            }
            else
            {
                Enter(called);
            }
        }

        void Enter(int rule)
        {
            if (states[rule] == 0)
            {
                states[rule] = Open;
                path.Push((rule, new Queue<int>(Reach(nfa, rule, empty).Calls)));
            }
        }
    }

    private static bool[] RulesThatMayBeEmpty(Nfa nfa)
    {
        var empty = new bool[nfa.Starts.Length];
        for (var changed = true; changed;)
        {
            changed = false;
            for (var rule = 0; rule < empty.Length; rule++)
            {
                if (!empty[rule] && Reach(nfa, rule, empty).End)
                {
                    empty[rule] = changed = true;
                }
            }
        }

        return empty;
    }

    // What a rule gets to without reading: its end, and the rules it calls.
    private static (bool End, HashSet<int> Calls) Reach(Nfa nfa, int rule, bool[] empty)
    {
        var end = false;
        var calls = new HashSet<int>();
        var seen = new HashSet<int>();
        var open = new Stack<int>([nfa.Starts[rule]]);
        while (open.TryPop(out var index))
        {
            if (!seen.Add(index) || nfa.NodeHeights[index] == Nfa.Unreachable)
            {
                continue;
            }

            var node = nfa.Nodes[index];
            end |= node.Kind == NfaNodeKind.End;
            foreach (var target in node.Targets)
            {
                open.Push(target);
            }

            if (node.Kind == NfaNodeKind.Call)
            {
                calls.Add(node.Rule);
                if (empty[node.Rule])
                {
                    open.Push(node.Next);
                }
            }
        }

        return (end, calls);
    }
}

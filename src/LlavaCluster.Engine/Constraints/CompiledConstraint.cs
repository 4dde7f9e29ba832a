using LlavaCluster.Engine.Constraints.Automata;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Constraints;

/// <summary>
/// A constraint ready for one vocabulary, with the states and masks its answers have met so far. All answers of a request share one;
/// whoever uses it and them does so on one thread at a time.
/// </summary>
internal sealed class CompiledConstraint
{
    private readonly ByteAutomaton _automaton;
    private readonly TokenVocabulary _vocabulary;
    private readonly AutomatonState[] _path;

    public CompiledConstraint(Nfa nfa, TokenVocabulary vocabulary)
    {
        _automaton = new ByteAutomaton(nfa);
        _vocabulary = vocabulary;
        _path = new AutomatonState[Math.Max(vocabulary.Trie.MaxDepth, vocabulary.FirstTrie.MaxDepth) + 1];
    }

    /// <summary>A new answer, before its first token.</summary>
    public TokenConstraint Begin() => new(this);

    /// <summary>Readings looked at so far, for all answers.</summary>
    internal long Work => _automaton.Work;

    internal AutomatonState Start => _automaton.Start;

    internal bool IsEnd(int id) => _vocabulary.IsEnd(id);

    internal bool IsText(int id) => !_vocabulary.BytesOf(id, false).IsEmpty;

    /// <summary>The state after one more token; dead when the token is not allowed (end-of-sequence ids are not handled here).</summary>
    internal AutomatonState Step(AutomatonState state, int id, bool isFirst)
    {
        foreach (var value in _vocabulary.BytesOf(id, isFirst))
        {
            state = _automaton.Step(state, value);
        }

        return state;
    }

    /// <summary>Tokens that may follow a state, worked out once per state.</summary>
    internal ulong[] MaskOf(AutomatonState state, bool isFirst) =>
        isFirst ? state.FirstMask ??= Walk(state, _vocabulary.FirstTrie, _vocabulary.Vanishing) : state.Mask ??= Walk(state, _vocabulary.Trie, []);

    private ulong[] Walk(AutomatonState state, TokenTrie trie, ReadOnlySpan<int> always)
    {
        var words = new ulong[_vocabulary.MaskWords];
        Allow(words, always);
        if (state.IsAccepting)
        {
            Allow(words, _vocabulary.EndOfSequence);
        }

        var budget = _automaton.Work + ConstraintLimits.MaxMaskWork;
        _path[0] = state;
        for (var node = 0; node < trie.Count;)
        {
            var depth = trie.DepthOf(node);
            var next = _automaton.Step(_path[depth - 1], trie.ByteOf(node));
            if (next.IsDead)
            {
                node = trie.EndOf(node);
                continue;
            }

            if (_automaton.Work > budget)
            {
                throw new ConstraintLimitException($"The constraint is too ambiguous: one mask may look at {ConstraintLimits.MaxMaskWork} readings at most.");
            }

            _path[depth] = next;
            Allow(words, trie.TokensAt(node));
            node++;
        }

        _automaton.Keep(words.Length * sizeof(ulong));
        return words;
    }

    private static void Allow(ulong[] words, ReadOnlySpan<int> ids)
    {
        foreach (var id in ids)
        {
            words[id / 64] |= 1UL << (id % 64);
        }
    }
}

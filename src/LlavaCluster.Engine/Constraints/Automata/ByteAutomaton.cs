namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>
/// Runs an <see cref="Nfa"/> over bytes as a pushdown automaton whose sets of readings are worked out and remembered as they
/// occur. A state that is not dead can always be completed. One thread at a time.
/// </summary>
/// <remarks>
/// Readings that could not end within <see cref="ConstraintLimits.MaxStack"/> nested calls are dropped when they arise, so the limit
/// closes brackets in time instead of ending in a dead end. When <see cref="ConstraintLimits.MaxRemembered"/> is remembered the memory
/// starts anew; states still held by their users stay valid.
/// </remarks>
internal sealed class ByteAutomaton
{
    private const int ReadingBytes = 16;
    private const int StateBytes = 128;

    private readonly Nfa _nfa;
    private readonly AutomatonState _dead;
    private readonly Dictionary<Configuration[], AutomatonState> _states = new(ConfigurationsComparer.Instance);
    private readonly Dictionary<Configuration[], AutomatonState> _acceptingStates = new(ConfigurationsComparer.Instance);
    private readonly Dictionary<(int Node, Frame? Parent), Frame> _frames = [];
    private readonly HashSet<Configuration> _seen = [];
    private readonly Stack<Configuration> _open = [];
    private readonly List<Configuration> _reading = [];
    private bool _accepts;
    private int _remembered;
    private long _nextFrame = 1;

    public ByteAutomaton(Nfa nfa)
    {
        _nfa = nfa;
        _dead = new AutomatonState([], false, 0);
        Start = FindStart();
    }

    /// <summary>The state of the empty text.</summary>
    public AutomatonState Start { get; private set; }

    /// <summary>Readings looked at so far; tells what a piece of work costs.</summary>
    public long Work { get; private set; }

    /// <summary>The state after one more byte; dead when no allowed text goes on so.</summary>
    /// <exception cref="ConstraintLimitException">Too many readings are open.</exception>
    public AutomatonState Step(AutomatonState state, byte value)
    {
        if (state.Next.Length == 0)
        {
            return _dead;
        }

        var byteClass = _nfa.ByteClasses[value];
        return state.Next[byteClass] ??= Compute(state, _nfa.Representatives[byteClass]);
    }

    /// <summary>Counts what a user keeps with a state towards the memory that starts anew.</summary>
    /// <param name="bytes">How much it is.</param>
    public void Keep(int bytes) => _remembered += bytes / ReadingBytes;

    private AutomatonState Compute(AutomatonState state, byte value)
    {
        foreach (var (node, stack) in state.Configurations)
        {
            ref readonly var range = ref _nfa.Nodes[node];
            if (value >= range.Low && value <= range.High)
            {
                _open.Push(new Configuration(range.Next, stack));
            }
        }

        Work += state.Configurations.Length;
        return Close();
    }

    private AutomatonState FindStart()
    {
        _open.Push(new Configuration(_nfa.Starts[0], null));
        return Close();
    }

    // Follows everything that reads nothing, from the open readings to those that wait for a byte.
    private AutomatonState Close()
    {
        _seen.Clear();
        _reading.Clear();
        _accepts = false;
        while (_open.TryPop(out var configuration))
        {
            var depth = configuration.Stack?.Depth ?? 0;
            if (depth + _nfa.NodeHeights[configuration.Node] <= ConstraintLimits.MaxStack && _seen.Add(configuration))
            {
                Follow(configuration);
            }

            if (_seen.Count > 4 * ConstraintLimits.MaxConfigurations || _reading.Count > ConstraintLimits.MaxConfigurations)
            {
                _open.Clear();
                throw new ConstraintLimitException($"The constraint is too ambiguous: at most {ConstraintLimits.MaxConfigurations} readings of a text may be open.");
            }
        }

        Work += _seen.Count;
        return Remember();
    }

    private void Follow(Configuration configuration)
    {
        var (index, stack) = configuration;
        ref readonly var node = ref _nfa.Nodes[index];
        switch (node.Kind)
        {
            case NfaNodeKind.Range:
                _reading.Add(configuration);
                break;
            case NfaNodeKind.Split:
                foreach (var target in node.Targets)
                {
                    _open.Push(new Configuration(target, stack));
                }

                break;
            case NfaNodeKind.Call:
                _open.Push(new Configuration(_nfa.Starts[node.Rule], Push(node.Next, stack)));
                break;
            default:
                if (stack is null)
                {
                    _accepts = true;
                }
                else
                {
                    _open.Push(new Configuration(stack.ReturnNode, stack.Parent));
                }

                break;
        }
    }

    // A call at the very end of a rule returns straight to that rule's caller.
    private Frame? Push(int returnNode, Frame? stack)
    {
        if (_nfa.Nodes[returnNode].Kind == NfaNodeKind.End)
        {
            return stack;
        }

        if (!_frames.TryGetValue((returnNode, stack), out var frame))
        {
            _frames.Add((returnNode, stack), frame = new Frame(returnNode, stack, _nextFrame++));
        }

        return frame;
    }

    private AutomatonState Remember()
    {
        if (_reading.Count == 0 && !_accepts)
        {
            return _dead;
        }

        _reading.Sort();
        var configurations = _reading.ToArray();
        var known = _accepts ? _acceptingStates : _states;
        if (known.TryGetValue(configurations, out var state))
        {
            return state;
        }

        if (_remembered > ConstraintLimits.MaxRemembered)
        {
            Forget();
        }

        Keep((configurations.Length * ReadingBytes) + (_nfa.Representatives.Length * sizeof(long)) + StateBytes);
        state = new AutomatonState(configurations, _accepts, _nfa.Representatives.Length);
        known.Add(configurations, state);
        return state;
    }

    // The old start is dropped too: all states worked out so far hang on it.
    private void Forget()
    {
        _states.Clear();
        _acceptingStates.Clear();
        _frames.Clear();
        _remembered = 0;
        Start = new AutomatonState(Start.Configurations, Start.IsAccepting, Start.Next.Length);
        (Start.IsAccepting ? _acceptingStates : _states).Add(Start.Configurations, Start);
    }

    private sealed class ConfigurationsComparer : IEqualityComparer<Configuration[]>
    {
        public static readonly ConfigurationsComparer Instance = new();

        public bool Equals(Configuration[]? x, Configuration[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(Configuration[] obj)
        {
            var hash = default(HashCode);
            foreach (var (node, stack) in obj)
            {
                hash.Add(node);
                hash.Add(stack?.Id ?? 0);
            }

            return hash.ToHashCode();
        }
    }
}

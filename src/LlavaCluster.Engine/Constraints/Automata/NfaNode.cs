namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>One node of an <see cref="Nfa"/>. Which fields count depends on the kind.</summary>
internal readonly record struct NfaNode(NfaNodeKind Kind, byte Low, byte High, int Next, int Rule, int[] Targets)
{
    /// <summary>Reads a byte from low to high and goes on at next.</summary>
    public static NfaNode Range(byte low, byte high, int next) => new(NfaNodeKind.Range, low, high, next, 0, []);

    /// <summary>Goes on at any of the targets.</summary>
    public static NfaNode Split(int[] targets) => new(NfaNodeKind.Split, 0, 0, 0, 0, targets);

    /// <summary>Reads what a rule says, then goes on at next.</summary>
    public static NfaNode Call(int rule, int next) => new(NfaNodeKind.Call, 0, 0, next, rule, []);

    /// <summary>The end of a rule.</summary>
    public static NfaNode End { get; } = new(NfaNodeKind.End, 0, 0, 0, 0, []);
}

internal enum NfaNodeKind
{
    Range,
    Split,
    Call,
    End,
}

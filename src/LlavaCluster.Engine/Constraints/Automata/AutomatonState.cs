namespace LlavaCluster.Engine.Constraints.Automata;

/// <summary>
/// All readings of one text so far. Texts with the same future are (almost always) the same object, so what is worked out for
/// one is remembered for all. Belongs to one <see cref="ByteAutomaton"/>.
/// </summary>
internal sealed class AutomatonState(Configuration[] configurations, bool isAccepting, int classes)
{
    /// <summary>Sorted, without duplicates; each waits at a node that reads a byte.</summary>
    public Configuration[] Configurations { get; } = configurations;

    /// <summary>Whether the text may end here.</summary>
    public bool IsAccepting { get; } = isAccepting;

    /// <summary>Whether nothing can follow and the text may not end: it should not have come so far.</summary>
    public bool IsDead => Configurations.Length == 0 && !IsAccepting;

    /// <summary>By byte class; null where not yet worked out.</summary>
    public AutomatonState?[] Next { get; } = new AutomatonState?[classes];

    /// <summary>Tokens allowed here, as <see cref="TokenConstraint.Allowed"/> has them; null where not yet worked out.</summary>
    public ulong[]? Mask { get; set; }

    /// <summary>Tokens allowed here as the first of an answer.</summary>
    public ulong[]? FirstMask { get; set; }
}

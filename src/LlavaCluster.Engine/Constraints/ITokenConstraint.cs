namespace LlavaCluster.Engine.Constraints;

/// <summary>
/// What one answer may go on with. Its state is a function of the ids it was advanced by, so a resumed answer is brought back by advancing
/// a new one by the journaled ids. One answer, one thread at a time.
/// </summary>
internal interface ITokenConstraint
{
    /// <summary>Bit i % 64 of word i / 64 tells whether token i may come next. End-of-sequence ids are allowed exactly when <see cref="IsComplete"/>.</summary>
    /// <exception cref="ConstraintLimitException">The constraint costs too much; the answer must fail.</exception>
    ReadOnlySpan<ulong> Allowed { get; }

    /// <summary>Whether the text so far satisfies the constraint.</summary>
    bool IsComplete { get; }

    /// <summary>The only token that may come next, or null where there are several or none.</summary>
    int? ForcedToken { get; }

    /// <summary>Takes the next token of the answer.</summary>
    /// <returns>False, and nothing changes, when it is not allowed.</returns>
    bool Advance(int id);
}

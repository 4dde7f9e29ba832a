using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints;

/// <summary>
/// What one answer may go on with. Its state is a function of the ids it was advanced by, so a resumed answer is brought back by advancing
/// a new one by the journaled ids. One answer, one thread at a time.
/// </summary>
internal sealed class TokenConstraint(CompiledConstraint compiled)
{
    private AutomatonState _state = compiled.Start;
    private bool _isFirst = true;
    private bool _hasEnded;

    /// <summary>Bit i % 64 of word i / 64 tells whether token i may come next. End-of-sequence ids are allowed exactly when <see cref="IsComplete"/>.</summary>
    /// <exception cref="ConstraintLimitException">The constraint costs too much; the answer must fail.</exception>
    public ReadOnlySpan<ulong> Allowed => _hasEnded ? [0UL] : compiled.MaskOf(_state, _isFirst);

    /// <summary>Whether the text so far satisfies the constraint.</summary>
    public bool IsComplete => _hasEnded || _state.IsAccepting;

    /// <summary>Takes the next token of the answer.</summary>
    /// <returns>False, and nothing changes, when it is not allowed.</returns>
    public bool Advance(int id)
    {
        if (_hasEnded)
        {
            return false;
        }

        if (compiled.IsEnd(id))
        {
            _hasEnded = _state.IsAccepting;
            return _hasEnded;
        }

        if (!compiled.IsText(id))
        {
            return false;
        }

        var next = compiled.Step(_state, id, _isFirst);
        if (next.IsDead)
        {
            return false;
        }

        (_state, _isFirst) = (next, false);
        return true;
    }
}

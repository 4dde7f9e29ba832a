using System.Numerics;
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
    private long _work;

    /// <summary>Bit i % 64 of word i / 64 tells whether token i may come next. End-of-sequence ids are allowed exactly when the text so far satisfies the constraint.</summary>
    /// <exception cref="ConstraintLimitException">The constraint costs too much; the answer must fail.</exception>
    public ReadOnlySpan<ulong> Allowed
    {
        get
        {
            if (_hasEnded)
            {
                return [0UL];
            }

            var before = compiled.Work;
            var mask = compiled.MaskOf(_state, _isFirst);
            Spend(before);
            return mask;
        }
    }

    /// <summary>The one token that <see cref="Allowed"/> has; null where it has none or several.</summary>
    /// <exception cref="ConstraintLimitException">The constraint costs too much; the answer must fail.</exception>
    public int? Only
    {
        get
        {
            var allowed = Allowed;
            var word = allowed.IndexOfAnyExcept(0UL);
            return word >= 0 && BitOperations.IsPow2(allowed[word]) && !allowed[(word + 1)..].ContainsAnyExcept(0UL) ? (word * 64) + BitOperations.TrailingZeroCount(allowed[word]) : null;
        }
    }

    /// <summary>Takes the next token of the answer.</summary>
    /// <returns>False, and nothing changes, when it is not allowed.</returns>
    /// <exception cref="ConstraintLimitException">The constraint costs too much; the answer must fail.</exception>
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

        var before = compiled.Work;
        var next = compiled.Step(_state, id, _isFirst);
        Spend(before);
        if (next.IsDead)
        {
            return false;
        }

        (_state, _isFirst) = (next, false);
        return true;
    }

    // Each mask is bounded, and an answer has as many masks as tokens.
    private void Spend(long before)
    {
        _work += compiled.Work - before;
        if (_work > ConstraintLimits.MaxAnswerWork)
        {
            throw new ConstraintLimitException($"The constraint is too ambiguous: one answer may look at {ConstraintLimits.MaxAnswerWork} readings at most.");
        }
    }
}

using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints;

/// <summary>One answer under a <see cref="CompiledConstraint"/>.</summary>
internal sealed class TokenConstraint(CompiledConstraint compiled) : ITokenConstraint
{
    private AutomatonState _state = compiled.Start;
    private bool _isFirst = true;
    private bool _hasEnded;

    public ReadOnlySpan<ulong> Allowed => Mask.Words;

    public bool IsComplete => _hasEnded || _state.IsAccepting;

    public int? ForcedToken => Mask.Count == 1 ? Mask.First : null;

    private TokenMask Mask => _hasEnded ? Nothing : compiled.MaskOf(_state, _isFirst);

    private static TokenMask Nothing { get; } = new([0]);

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

namespace LlavaCluster.Engine.Scheduling;

/// <summary>What became of one sequence's guesses, the latest counting most.</summary>
internal sealed class GuessRecord
{
    private double _right = 1, _wrong = 1; // before the first: an even chance

    /// <summary>Lets the past count less and gives the share of guesses that were right.</summary>
    public double Fade(double memory)
    {
        _right = 1 + ((_right - 1) * memory);
        _wrong = 1 + ((_wrong - 1) * memory);
        return _right / (_right + _wrong);
    }

    /// <summary>Of the guesses of one step so many were right; the one after them was not, where there was one.</summary>
    public void Add(int guessed, int right)
    {
        _right += right;
        _wrong += right < guessed ? 1 : 0;
    }
}

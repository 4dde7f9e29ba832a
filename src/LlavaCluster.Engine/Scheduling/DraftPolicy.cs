namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// How many tokens a sequence may guess ahead. A guess is worth computing where it is likelier to be right than a token of a step without guesses is cheap to add:
/// share^j > b R / (a + b n), for the j-th guess of a sequence whose guesses were right in that share of cases, steps that take a + b n seconds for n tokens, and R tokens drawn by
/// a step. Where weights are streamed from memory b is small and long guesses pay; where products are bound by arithmetic few do. a and b come from the steps themselves, so
/// nothing has to be set for a machine, a model or a load. One thread.
/// </summary>
/// <param name="most">Guesses of one sequence in one step; 0 for none.</param>
internal sealed class DraftPolicy(int most)
{
    private const double Memory = 0.98; // of what steps took
    private const double Fading = 0.99; // of what became of a sequence's guesses: one that never guesses again never learns that it could
    private const int LargestStep = 128; // tokens; larger ones are prompts, which are bound otherwise
    private const double LeastSpread = 0.5; // of the steps' tokens, squared: below it nothing is known of b

    private double _weight, _tokens, _squares, _seconds, _products;
    private double _threshold;

    /// <summary>The most guesses that are worth their computing.</summary>
    public int Most(Sequence sequence)
    {
        var share = sequence.Guesses.Fade(Fading);
        var (count, likely) = (0, share);
        while (count < most && likely > _threshold)
        {
            count++;
            likely *= share;
        }

        return count;
    }

    /// <summary>Learns from a step that encoded no image.</summary>
    /// <param name="tokens">Computed, guesses among them.</param>
    /// <param name="guesses">Of all rows.</param>
    /// <param name="sampled">Rows whose next token was drawn.</param>
    public void Book(int tokens, int guesses, int sampled, double seconds)
    {
        if (most == 0 || tokens > LargestStep || sampled == 0 || seconds <= 0)
        {
            return;
        }

        _weight = (_weight * Memory) + 1;
        _tokens = (_tokens * Memory) + tokens;
        _squares = (_squares * Memory) + ((double)tokens * tokens);
        _seconds = (_seconds * Memory) + seconds;
        _products = (_products * Memory) + (tokens * seconds);
        var spread = (_squares / _weight) - (_tokens / _weight * (_tokens / _weight));
        if (spread < LeastSpread)
        {
            return; // what is known of b stays; before anything is known every guess is tried
        }

        var perToken = Math.Max(0, ((_products / _weight) - (_tokens / _weight * (_seconds / _weight))) / spread);
        var whole = (_seconds / _weight) + (perToken * (tokens - guesses - (_tokens / _weight)));
        _threshold = whole <= 0 ? 1 : Math.Clamp(perToken * sampled / whole, 0, 1);
    }
}

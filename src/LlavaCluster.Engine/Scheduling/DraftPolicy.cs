namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// How many tokens a sequence may guess ahead. A guess is worth computing where it is likelier to be right than a token of a step without guesses is cheap to add:
/// share^j > b R / (a + b n), for the j-th guess of a sequence whose guesses were right in that share of cases, steps that take a + b n seconds for n tokens, and R tokens drawn by
/// a step. Where weights are streamed from memory b is small and long guesses pay; where products are bound by arithmetic few do. a and b come from the steps themselves, by least
/// squares, so nothing has to be set for a machine, a model or a load. One thread.
/// </summary>
/// <param name="most">Guesses of one sequence in one step; 0 for none.</param>
internal sealed class DraftPolicy(int most)
{
    private const double Memory = 0.995; // of what steps took
    private const double Fading = 0.99; // of what became of a sequence's guesses
    private const int LargestStep = 128; // tokens without guesses; larger steps are prompts, which are bound otherwise
    private const double LeastSpread = 0.05; // of the steps' tokens, squared: below it nothing is learned of b
    private const int FirstSteps = 8; // read the weights from the disk, and say nothing of those after them
    private const double Outlier = 3; // times what was expected; what is beyond was a pause of the machine
    private const int TryEvery = 32, TryEveryAtFirst = 4; // steps: where all are alike, nothing would ever be learned
    private const int Tried = 2;

    private double _weight, _tokens, _squares, _seconds, _products;
    private double _perToken, _perStep;
    private double _threshold;
    private long _steps;
    private bool _isKnown, _isTrial;

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

        if (!_isTrial)
        {
            return count;
        }

        _isTrial = false; // one sequence does the other thing
        return count > 0 ? 0 : Math.Min(Tried, most);
    }

    /// <summary>Learns from a step that encoded no image.</summary>
    /// <param name="tokens">Computed, guesses among them.</param>
    /// <param name="guesses">Of all rows.</param>
    /// <param name="sampled">Rows whose next token was drawn.</param>
    public void Book(int tokens, int guesses, int sampled, double seconds)
    {
        if (most == 0 || tokens - guesses > LargestStep || sampled == 0 || seconds <= 0 || ++_steps <= FirstSteps)
        {
            return;
        }

        _isTrial = _steps % (_isKnown ? TryEvery : TryEveryAtFirst) == 0;
        Add(tokens, _isKnown ? Math.Min(seconds, Outlier * (_perStep + (_perToken * tokens))) : seconds);
        if (_isKnown)
        {
            var whole = _perStep + (_perToken * (tokens - guesses));
            _threshold = whole > 0 ? Math.Min(1, _perToken * sampled / whole) : 0;
        }
    }

    private void Add(int tokens, double seconds)
    {
        _weight = (_weight * Memory) + 1;
        _tokens = (_tokens * Memory) + tokens;
        _squares = (_squares * Memory) + ((double)tokens * tokens);
        _seconds = (_seconds * Memory) + seconds;
        _products = (_products * Memory) + (tokens * seconds);
        var (meanTokens, meanSeconds) = (_tokens / _weight, _seconds / _weight);
        var spread = (_squares / _weight) - (meanTokens * meanTokens);
        if (spread >= LeastSpread)
        {
            _perToken = Math.Max(0, ((_products / _weight) - (meanTokens * meanSeconds)) / spread);
            _isKnown = true;
        }

        _perStep = Math.Max(meanSeconds * 1e-3, meanSeconds - (_perToken * meanTokens)); // never nothing: what is expected of a step bounds the next
    }
}

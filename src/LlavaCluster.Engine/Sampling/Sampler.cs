namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// Draws the next token from one row of scores. One per device thread: it owns scratch space for one vocabulary, is not
/// thread-safe, keeps nothing between calls and allocates nothing in them.
/// </summary>
/// <remarks>
/// The order is that of Hugging Face's generate (transformers, generation/utils.py, _get_logits_processor), with OpenAI's
/// additions where their formulas put them, on scores that temperature has not touched:
/// <list type="number">
/// <item>reserved ids (padding rows, image and pad tokens) are banned;</item>
/// <item>repetition penalty, over prompt and answer;</item>
/// <item>frequency and presence penalties, over the answer;</item>
/// <item>logit bias, after the penalties, so that they do not scale it;</item>
/// <item>the constraint's mask, and the ban of end-of-sequence ids (ignore_eos);</item>
/// <item>temperature 0: the highest score, lowest id among equals. Else temperature, top-k, top-p, min-p and the draw.</item>
/// </list>
/// Log-probabilities are the model's own: log-softmax of the row after step 1 alone, as vLLM's default (raw_logprobs). A
/// penalty, a temperature or a mask changes which token is drawn, never what is reported about it.
/// <para>
/// A draw is an <see cref="ExponentialRace"/> with the numbers of a <see cref="NoiseKey"/>. All arithmetic on the way is done in a fixed order
/// with exact IEEE operations, so equal rows give equal tokens on every processor, and rows that differ by rounding hardly ever another.
/// </para>
/// </remarks>
internal sealed class Sampler
{
    private readonly ScoreRow _row;
    private readonly CandidateSet _candidates;
    private readonly LogprobReader _logprobs;

    /// <param name="vocabularySize">Rows of the model's output.</param>
    /// <param name="reserved">Ids that are never drawn.</param>
    /// <param name="endOfSequence">Ids that end an answer.</param>
    public Sampler(int vocabularySize, ReadOnlySpan<int> reserved, ReadOnlySpan<int> endOfSequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        _row = new ScoreRow(vocabularySize, reserved, endOfSequence);
        _candidates = new CandidateSet(vocabularySize);
        _logprobs = new LogprobReader(vocabularySize);
    }

    /// <summary>Draws one token. Options must have passed <see cref="SamplingValidator"/>.</summary>
    public SampledToken Sample(in SamplingRow input)
    {
        _row.Load(input.Logits);
        var max = _row.Max();
        if (float.IsNaN(max) || float.IsPositiveInfinity(max))
        {
            return new SampledToken(SampleStatus.NotFinite, 0, float.NaN, 0);
        }

        var top = 0;
        var wantsLogprobs = input.Options.Logprobs && max != float.NegativeInfinity;
        if (wantsLogprobs)
        {
            _logprobs.Load(_row.Scores, max);
            top = _logprobs.Top(_row.Scores, input.TopLogprobs);
        }

        max = Adjust(input);
        if (max == float.NegativeInfinity)
        {
            return new SampledToken(SampleStatus.NothingAllowed, 0, float.NaN, 0);
        }

        var id = Draw(input, max);
        return new SampledToken(SampleStatus.Drawn, id, wantsLogprobs ? _logprobs.Of(input.Logits[id]) : float.NaN, top);
    }

    /// <summary>The distribution the row's token is drawn from, valid until the next call. Null when nothing can be drawn.</summary>
    internal CandidateSet? Candidates(in SamplingRow input)
    {
        _row.Load(input.Logits);
        var max = Adjust(input);
        if (!float.IsFinite(max))
        {
            return null;
        }

        _candidates.Select(_row.Scores, max, input.Options);
        return _candidates;
    }

    private float Adjust(in SamplingRow input)
    {
        _row.Penalise(input.Options, input.History);
        _row.AddBiases(input.Options);
        _row.Restrict(input.Allowed);
        var max = _row.Max();
        return input.Options.IgnoreEos ? _row.BanEnds(max) : max;
    }

    private int Draw(in SamplingRow input, float max)
    {
        if (input.Options.IsGreedy)
        {
            return _row.FirstWith(max);
        }

        _candidates.Select(_row.Scores, max, input.Options);
        return _candidates.Draw(input.Noise);
    }
}

using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Generation;

/// <summary>
/// One answer of a request: everything that follows from its tokens alone (penalties, noise position, text, stop texts), so that a resumed answer is
/// rebuilt by taking its tokens again. One thread at a time.
/// </summary>
internal sealed class Choice
{
    private readonly SamplingOptions _options;
    private readonly IReadOnlyList<int> _endTokens;
    private readonly ITextDecoder _decoder;
    private readonly StopMatcher _stops;

    public Choice(int index, ReadOnlySpan<int> prompt, SamplingOptions options, EngineModel model, TokenConstraint? constraint)
    {
        Index = index;
        Constraint = constraint;
        _options = options;
        _endTokens = model.EndTokens;
        _decoder = model.CreateDecoder();
        _stops = new StopMatcher(options.IgnoreEos ? options.Stop : [.. model.StopTexts, .. options.Stop]);
        History = new SamplingHistory(prompt, options.MaxTokens);
    }

    public int Index { get; }

    public SamplingHistory History { get; }

    /// <summary>What may come next; null where everything may.</summary>
    public TokenConstraint? Constraint { get; }

    /// <summary>Set once the answer is complete.</summary>
    public FinishReason? Finish { get; private set; }

    /// <summary>The request it belongs to.</summary>
    public LiveRequest? Owner { get; set; }

    /// <summary>Null before the engine has taken the request in.</summary>
    public Sequence? Sequence { get; set; }

    /// <summary>The one token that may come next, where there is but one and nobody asked how likely it is; otherwise null. It needs no scores.</summary>
    /// <exception cref="ConstraintLimitException">The constraint costs too much.</exception>
    public int? Forced => Finish is null && !_options.Logprobs ? Constraint?.Only : null;

    /// <summary>Takes the next token of the answer and gives the text that it makes certain; null, and nothing changes, where the constraint does not allow it.</summary>
    public string? Take(int token)
    {
        if (Constraint?.Advance(token) == false)
        {
            return null;
        }

        History.Append(token);
        if (_endTokens.Contains(token))
        {
            Finish = FinishReason.Stop;
            return Flush();
        }

        var text = _stops.Push(_decoder.Append(token));
        if (_stops.Matched is not null)
        {
            Finish = FinishReason.Stop;
            return text;
        }

        if (History.EmittedCount < _options.MaxTokens)
        {
            return text;
        }

        text += Flush();
        Finish = _stops.Matched is null ? FinishReason.Length : FinishReason.Stop;
        return text;
    }

    /// <summary>The update that ends the choice where no token does.</summary>
    public TokenUpdate EndWithoutToken(FinishReason reason, RequestFailure? failure) => new()
    {
        Choice = Index, Index = History.EmittedCount, Token = TokenUpdate.NoToken, Text = "", Logprob = float.NaN, Finish = reason, Failure = failure,
    };

    /// <summary>What the decoder and the stop matcher held back.</summary>
    private string Flush()
    {
        var text = _stops.Push(_decoder.Finish());
        return _stops.Matched is null ? text + _stops.Finish() : text;
    }
}

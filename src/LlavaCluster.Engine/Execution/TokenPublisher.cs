using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Execution;

/// <summary>Draws a choice's next token from its logits, unless the device has picked it, and puts it into the request's stream. One thread.</summary>
internal sealed class TokenPublisher(EngineModel model, EngineInstruments instruments, TimeProvider time)
{
    // Behind one draw: the stream stays bounded whatever a constraint prescribes.
    private const int MostForced = 32;

    private readonly Sampler _sampler = new(model.VocabularySize, [.. model.ReservedTokens], [.. model.EndTokens]);
    private readonly TokenLogprob[] _top = new TokenLogprob[SamplingLimits.MaxTopLogprobs];

    public long Generated { get; private set; }

    /// <summary>Draws the next token, and takes those behind it that the constraint leaves no choice about. Null, or why there is no next token.</summary>
    public RequestFailure? Publish(LiveRequest request, Choice choice, RowScores scores)
    {
        try
        {
            if (Draw(request, choice, scores) is { } failure)
            {
                return failure;
            }

            Force(request, choice);
            return null;
        }
        catch (ConstraintLimitException)
        {
            return new RequestFailure(FailureKind.Constraint, "The constraint costs too much to follow.");
        }
    }

    private RequestFailure? Draw(LiveRequest request, Choice choice, RowScores scores)
    {
        var options = request.Request.Sampling;
        var sampled = scores.Pick ?? _sampler.Sample(new SamplingRow
        {
            Allowed = choice.Constraint is { } constraint ? constraint.Allowed : default,
            Logits = scores.Logits,
            Options = options,
            History = choice.History,
            Noise = new NoiseKey(request.Seed, choice.Index, choice.History.Position),
            TopLogprobs = _top.AsSpan(0, options.TopLogprobs),
        });
        if (sampled.Status != SampleStatus.Drawn)
        {
            return sampled.Status == SampleStatus.NotFinite
                ? new RequestFailure(FailureKind.NotFinite, "The model's scores were not finite.")
                : new RequestFailure(FailureKind.Constraint, "The constraint leaves no token.");
        }

        Take(request, choice, sampled.Id, sampled.Logprob, sampled.TopCount);
        return null;
    }

    private void Force(LiveRequest request, Choice choice)
    {
        for (var i = 0; i < MostForced && choice.Forced is { } token; i++)
        {
            Take(request, choice, token, float.NaN, top: 0);
        }
    }

    private void Take(LiveRequest request, Choice choice, int token, float logprob, int top)
    {
        Generated++;
        Time(request);
        var index = choice.History.EmittedCount;
        var text = choice.Take(token) ?? throw new InvalidOperationException($"Token {token} was drawn, which its constraint does not allow.");
        choice.Sequence!.Append(token);
        request.Publish(new TokenUpdate
        {
            Choice = choice.Index,
            Index = index,
            Token = token,
            Text = text,
            Logprob = logprob,
            TopLogprobs = top > 0 ? _top[..top] : null,
            Finish = choice.Finish,
        });
    }

    private void Time(LiveRequest request)
    {
        var now = time.GetTimestamp();
        if (request.LastTokenAt is { } last)
        {
            instruments.OnNextToken(time.GetElapsedTime(last, now));
        }
        else
        {
            instruments.OnFirstToken(time.GetElapsedTime(request.SubmittedAt, now));
        }

        request.LastTokenAt = now;
    }
}

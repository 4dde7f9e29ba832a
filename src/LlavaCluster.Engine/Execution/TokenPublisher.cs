using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Execution;

/// <summary>Draws a choice's next token from its logits and puts it into the request's stream. One thread.</summary>
internal sealed class TokenPublisher(EngineModel model, EngineInstruments instruments, TimeProvider time)
{
    private readonly Sampler _sampler = new(model.VocabularySize, [.. model.ReservedTokens], [.. model.EndTokens]);
    private readonly TokenLogprob[] _top = new TokenLogprob[SamplingLimits.MaxTopLogprobs];

    public long Generated { get; private set; }

    /// <summary>Null, or why there is no next token.</summary>
    public RequestFailure? Publish(LiveRequest request, Choice choice, ReadOnlySpan<float> logits)
    {
        try
        {
            return Draw(request, choice, logits);
        }
        catch (ConstraintLimitException)
        {
            return new RequestFailure(FailureKind.Constraint, "The constraint costs too much to follow.");
        }
    }

    private RequestFailure? Draw(LiveRequest request, Choice choice, ReadOnlySpan<float> logits)
    {
        var options = request.Request.Sampling;
        var sampled = _sampler.Sample(new SamplingRow
        {
            Allowed = choice.Constraint is { } constraint ? constraint.Allowed : default,
            Logits = logits,
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

        Generated++;
        Time(request);
        var index = choice.History.EmittedCount;
        var text = choice.Take(sampled.Id) ?? throw new InvalidOperationException($"Token {sampled.Id} was drawn, which its constraint does not allow.");
        choice.Sequence!.Append(sampled.Id);
        request.Publish(new TokenUpdate
        {
            Choice = choice.Index,
            Index = index,
            Token = sampled.Id,
            Text = text,
            Logprob = sampled.Logprob,
            TopLogprobs = sampled.TopCount > 0 ? _top[..sampled.TopCount] : null,
            Finish = choice.Finish,
        });
        return null;
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

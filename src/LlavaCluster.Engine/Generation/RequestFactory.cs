using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Generation;

/// <summary>The only maker of <see cref="LiveRequest"/>: checks a request against the model and the options, and lays out its tokens and images. Any thread.</summary>
internal sealed class RequestFactory(EngineModel model, EngineOptions options, AdapterTable adapters, TimeProvider time)
{
    // Spelling out a vocabulary takes some tens of milliseconds and is needed by few.
    private readonly Lazy<TokenVocabulary> _vocabulary = new(() =>
        new TokenVocabulary(model.TokenTexts, [.. model.EndTokens]));

    /// <summary>Returns the request, its adapter pinned, or null and the reason why not.</summary>
    public LiveRequest? TryCreate(EngineRequest request, out Submission.Rejected? rejection)
    {
        rejection = Check(request);
        if (rejection is not null)
        {
            return null;
        }

        // Before the prompt is laid out, for an image may claim any number of positions.
        rejection = CheckSize(request);
        if (rejection is not null)
        {
            return null;
        }

        var pin = request.Adapter is { } digest ? adapters.TryPin(digest) : null;
        if (pin is null && request.Adapter is { } missing)
        {
            rejection = new Submission.Rejected(RejectionReason.AdapterMissing, $"adapter must be loaded on this engine; {missing} is not.");
            return null;
        }

        LiveRequest? live = null;
        try
        {
            return live = Create(request, pin, out rejection);
        }
        finally
        {
            if (live is null)
            {
                pin?.Release();
            }
        }
    }

    private LiveRequest? Create(EngineRequest request, AdapterPin? adapter, out Submission.Rejected? rejection)
    {
        var layout = PromptLayout.Create(request, model, options, adapter is { ChangesFeatures: true });
        var constraint = Compile(request.Constraint, out rejection);
        if (rejection is not null)
        {
            return null;
        }

        var choices = new Choice[request.Sampling.Choices];
        var specs = new SequenceSpec[choices.Length];
        for (var i = 0; i < choices.Length; i++)
        {
            IReadOnlyList<int> emitted = i < request.Emitted.Count ? request.Emitted[i] : [];
            choices[i] = new Choice(i, layout.Tokens, request.Sampling, model, constraint?.Begin());
            specs[i] = Spec(request, layout, adapter, emitted);
            rejection = Replay(choices[i], emitted);
            if (rejection is not null)
            {
                return null;
            }
        }

        var live = new LiveRequest
        {
            Request = request,
            Seed = request.Sampling.Seed ?? Random.Shared.NextInt64(),
            Specs = specs,
            Choices = choices,
            Images = layout.DistinctImages,
            ImageTokens = layout.Images.Sum(i => i.Tokens),
            Adapter = adapter,
            SubmittedAt = time.GetTimestamp(),
        };
        foreach (var choice in choices)
        {
            choice.Owner = live;
        }

        return live;
    }

    /// <summary>Brings a choice to where an earlier run left it.</summary>
    private static Submission.Rejected? Replay(Choice choice, IReadOnlyList<int> emitted)
    {
        try
        {
            foreach (var token in emitted)
            {
                if (choice.Finish is not null)
                {
                    return Invalid($"emitted[{choice.Index}] must end where its answer ends; was longer.");
                }

                if (choice.Take(token) is null)
                {
                    return Invalid($"emitted[{choice.Index}] must satisfy the constraint; token {token} does not.");
                }
            }

            return null;
        }
        catch (ConstraintLimitException fault)
        {
            return Invalid(fault.Message);
        }
    }

    private static SequenceSpec Spec(EngineRequest request, PromptLayout layout, AdapterPin? adapter, IReadOnlyList<int> emitted) => new()
    {
        Tokens = [.. layout.Tokens, .. emitted],
        PromptTokens = layout.Tokens.Length,
        MaxTokens = layout.Tokens.Length + request.Sampling.MaxTokens,
        Images = [.. layout.Images.Select(i => i with { })],
        Scope = layout.Scope,
        Weight = request.Tenant.Weight,
        Priority = request.Priority,
        Deadline = request.Deadline,
        Adapter = adapter?.Slot ?? AdapterPin.None,
        Draw = request.Constraint is null ? request.Sampling.Draw : DrawKind.Sampler,
    };

    private static Submission.Rejected Invalid(string message) => new(RejectionReason.Invalid, message);

    private CompiledConstraint? Compile(ConstraintSpec? spec, out Submission.Rejected? rejection)
    {
        rejection = null;
        if (spec is null)
        {
            return null;
        }

        if (model.TokenTexts.Count == 0)
        {
            rejection = Invalid("response_format must be text; this model's vocabulary is not known to the engine.");
            return null;
        }

        switch (ConstraintCompiler.Compile(spec, _vocabulary.Value))
        {
            case ConstraintCompilation.Ready ready:
                return ready.Constraint;
            case ConstraintCompilation.Refused refused:
                rejection = new Submission.Rejected(RejectionReason.Invalid, refused.Message, Field: refused.Field);
                break;
        }

        return null;
    }

    private Submission.Rejected? Check(EngineRequest request)
    {
        if (!(request.Tenant.Weight > 0) || double.IsInfinity(request.Tenant.Weight))
        {
            return Invalid($"tenant weight must be > 0 and finite; was {request.Tenant.Weight}.");
        }

        if (request.Tenant.Salt.Length < EngineTenant.LeastSalt)
        {
            return Invalid($"tenant salt must be >= {EngineTenant.LeastSalt} bytes; was {request.Tenant.Salt.Length}.");
        }

        if (!Enum.IsDefined(request.Priority))
        {
            return Invalid($"priority must be one of {string.Join(", ", Enum.GetNames<RequestPriority>())}; was {(int)request.Priority}.");
        }

        if (SamplingValidator.Validate(request.Sampling, model.VocabularySize, model.MaxPositions) is [var violation, ..])
        {
            return Invalid(violation.Message);
        }

        if (request.Emitted.Count > request.Sampling.Choices)
        {
            return Invalid($"emitted must have at most n = {request.Sampling.Choices} entries; had {request.Emitted.Count}.");
        }

        return CheckIds(request);
    }

    private Submission.Rejected? CheckIds(EngineRequest request)
    {
        foreach (var segment in request.Prompt)
        {
            if (segment is PromptSegment.Text text && text.Ids.Any(id => !IsToken(id)))
            {
                return Invalid($"prompt ids must be from 0 to {model.VocabularySize - 1} and not {model.ImageTokenId}; one was {text.Ids.First(id => !IsToken(id))}.");
            }

            if (segment is PromptSegment.Picture { Image.Tokens: < 1 } picture)
            {
                return Invalid($"an image must fill at least 1 position; was {picture.Image.Tokens}.");
            }
        }

        foreach (var emitted in request.Emitted)
        {
            if (emitted.Any(id => !IsToken(id)))
            {
                return Invalid($"emitted ids must be from 0 to {model.VocabularySize - 1} and not {model.ImageTokenId}; one was {emitted.First(id => !IsToken(id))}.");
            }
        }

        return null;
    }

    private bool IsToken(int id) => id >= 0 && id < model.VocabularySize && id != model.ImageTokenId;

    private Submission.Rejected? CheckSize(EngineRequest request)
    {
        var images = request.Prompt.OfType<PromptSegment.Picture>().Select(picture => picture.Image.Tokens).ToArray();
        var prompt = images.Sum(tokens => (long)tokens) + request.Prompt.OfType<PromptSegment.Text>().Sum(text => (long)text.Ids.Count);
        if (prompt == 0)
        {
            return Invalid("prompt must have at least 1 token; had 0.");
        }

        var total = prompt + request.Sampling.MaxTokens;
        var pool = (long)options.KvBlocks * options.BlockSize;
        var most = Math.Min(model.MaxPositions, pool);
        if (total > most)
        {
            var bound = model.MaxPositions <= pool ? "the model's context" : "the KV cache";
            return new Submission.Rejected(RejectionReason.TooLarge, $"prompt and max_tokens must be <= {most} tokens ({bound}) together; were {prompt} + {request.Sampling.MaxTokens}.");
        }

        var largest = images.DefaultIfEmpty().Max();
        return largest > options.ImageCacheTokens
            ? new Submission.Rejected(RejectionReason.TooLarge, $"an image must be <= {options.ImageCacheTokens} tokens (the image cache); was {largest}.")
            : null;
    }
}

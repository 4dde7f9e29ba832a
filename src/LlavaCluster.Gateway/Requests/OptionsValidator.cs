using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Gateway.Requests;

/// <summary>The sampling half of <see cref="RequestValidator"/>.</summary>
internal sealed class OptionsValidator(ChatLimits limits)
{
    /// <summary>The options with defaults filled in; they mean nothing if a check failed.</summary>
    public GenerationOptions Validate(RawOptions raw, ModelCard card, FieldChecks checks) => new()
    {
        MaxTokens = raw.MaxTokens is { } tokens
            ? checks.Whole(raw.MaxTokensField, tokens, 1, card.ContextLength)
            : Math.Max(1, Math.Min(limits.DefaultMaxTokens, card.ContextLength - 1)),
        Temperature = raw.Temperature is { } temperature ? checks.Range("temperature", temperature, 0, 2) : 1,
        TopP = raw.TopP is { } topP ? checks.Range("top_p", topP, 0, 1, open: true) : 1,
        TopK = raw.TopK is { } topK and not -1 ? checks.Whole("top_k", topK, 0, card.VocabSize) : 0,
        MinP = raw.MinP is { } minP ? checks.Range("min_p", minP, 0, 1) : 0,
        RepetitionPenalty = raw.RepetitionPenalty is { } repetition ? checks.Range("repetition_penalty", repetition, 0, 2, open: true) : 1,
        FrequencyPenalty = raw.FrequencyPenalty is { } frequency ? checks.Range("frequency_penalty", frequency, -2, 2) : 0,
        PresencePenalty = raw.PresencePenalty is { } presence ? checks.Range("presence_penalty", presence, -2, 2) : 0,
        Seed = raw.Seed is { } seed ? unchecked((ulong)seed) : BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
        Stop = Stops(raw.Stop, checks),
        LogitBias = Biases(raw.LogitBias, card, checks),
        TopLogprobs = TopLogprobs(raw, checks),
        Choices = raw.Choices is { } choices ? checks.Whole(raw.ChoicesField, choices, 1, limits.MaxChoices) : 1,
        Constraint = Constraint(raw.Constraints, checks),
        IgnoreEos = IgnoreEos(raw, checks),
    };

    private static bool IgnoreEos(RawOptions raw, FieldChecks checks)
    {
        if (raw is { IgnoreEos: true, Constraints: [var constraint, ..] })
        {
            checks.Fail("ignore_eos", $"must not be true together with {constraint.Field}: what is whole cannot go on.");
        }

        return raw.IgnoreEos;
    }

    private ImmutableArray<string> Stops(ImmutableArray<string> stops, FieldChecks checks)
    {
        checks.Count("stop", stops.Length, limits.MaxStops, "texts");
        foreach (var stop in stops)
        {
            if (stop.Length == 0)
            {
                checks.Fail("stop", "must not hold an empty text.");
            }

            checks.Length("stop", stop, limits.MaxStopLength);
            checks.WellFormed("stop", stop);
        }

        return stops;
    }

    private ImmutableDictionary<int, float> Biases(ImmutableArray<KeyValuePair<string, double>> biases, ModelCard card, FieldChecks checks)
    {
        checks.Count("logit_bias", biases.Length, limits.MaxLogitBiases, "tokens");
        var valid = ImmutableDictionary.CreateBuilder<int, float>();
        foreach (var (key, value) in biases)
        {
            if (!int.TryParse(key, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var token) || token < 0 || token >= card.VocabSize)
            {
                checks.Fail("logit_bias", string.Create(CultureInfo.InvariantCulture, $"must have token ids between 0 and {card.VocabSize - 1} as keys; had \"{Excerpt.Of(key, 20)}\"."));
                break;
            }

            valid[token] = (float)checks.Range($"logit_bias[{token}]", value, -100, 100);
        }

        return valid.ToImmutable();
    }

    private int? TopLogprobs(RawOptions raw, FieldChecks checks)
    {
        if (raw.TopLogprobs is not { } alternatives)
        {
            return raw.Logprobs ? 0 : null;
        }

        if (!raw.Logprobs)
        {
            checks.Fail("top_logprobs", string.Create(CultureInfo.InvariantCulture, $"needs logprobs to be true; was {alternatives}."));
        }

        return checks.Whole("top_logprobs", alternatives, 0, limits.MaxTopLogprobs);
    }

    private OutputConstraint? Constraint(ImmutableArray<RawConstraint> constraints, FieldChecks checks)
    {
        if (constraints.IsEmpty)
        {
            return null;
        }

        if (constraints.Length > 1)
        {
            checks.Fail(constraints[1].Field, $"must not be given together with {constraints[0].Field}: an answer can match one constraint.");
        }

        var (field, kind, texts) = constraints[0];
        if (kind == ConstraintKind.Choice)
        {
            checks.Count(field, texts.Length, limits.MaxConstraintChoices, "texts");
        }

        if (texts.IsEmpty || (kind != ConstraintKind.JsonSchema && texts.Any(text => text.Length == 0)))
        {
            checks.Fail(field, "must not be empty.");
        }

        var length = texts.Sum(text => (long)text.Length);
        if (length > limits.MaxConstraintLength)
        {
            checks.Fail(field, string.Create(CultureInfo.InvariantCulture, $"must be at most {limits.MaxConstraintLength} characters; was {length}."));
        }

        foreach (var text in texts)
        {
            checks.WellFormed(field, text);
        }

        return new OutputConstraint(kind, texts);
    }
}

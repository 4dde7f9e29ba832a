using System.Globalization;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Sampling;

/// <summary>Checks sampling options against <see cref="SamplingLimits"/> and one model. Reports every violation and never throws.</summary>
public static class SamplingValidator
{
    private const int ShownCharacters = 40;

    /// <param name="options">The options as given.</param>
    /// <param name="vocabularySize">Rows of the model's output; biases must name one of them.</param>
    /// <param name="maxTokens">The most tokens one answer may have, at least 1.</param>
    /// <returns>Every violation, in the order of the fields; empty when the options are valid.</returns>
    public static IReadOnlyList<SamplingViolation> Validate(SamplingOptions options, int vocabularySize, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(options);
        var found = new List<SamplingViolation>();
        CheckNumbers(options, found);
        CheckCounts(options, maxTokens, found);
        CheckBiases(options, vocabularySize, found);
        CheckStops(options, found);
        return found;
    }

    private static void CheckNumbers(SamplingOptions options, List<SamplingViolation> found)
    {
        Within("temperature", options.Temperature, 0, SamplingLimits.MaxTemperature, found);
        if (!(options.TopP is > 0 and <= 1))
        {
            found.Add(new("top_p", "> 0 and <= 1", Show(options.TopP)));
        }

        if (options.TopK < 0)
        {
            found.Add(new("top_k", ">= 0 (0 keeps all)", Show(options.TopK)));
        }

        if (!(options.MinP is >= 0 and < 1))
        {
            found.Add(new("min_p", ">= 0 and < 1", Show(options.MinP)));
        }

        Within("repetition_penalty", options.RepetitionPenalty, SamplingLimits.MinRepetitionPenalty, SamplingLimits.MaxRepetitionPenalty, found);
        Within("frequency_penalty", options.FrequencyPenalty, -SamplingLimits.MaxPenalty, SamplingLimits.MaxPenalty, found);
        Within("presence_penalty", options.PresencePenalty, -SamplingLimits.MaxPenalty, SamplingLimits.MaxPenalty, found);
    }

    private static void CheckCounts(SamplingOptions options, int maxTokens, List<SamplingViolation> found)
    {
        Within("n", options.Choices, 1, SamplingLimits.MaxChoices, found);
        Within("max_tokens", options.MaxTokens, 1, maxTokens, found);
        Within("top_logprobs", options.TopLogprobs, 0, SamplingLimits.MaxTopLogprobs, found);
        if (options.TopLogprobs > 0 && !options.Logprobs)
        {
            found.Add(new("logprobs", "true when top_logprobs is given", "false"));
        }
    }

    private static void CheckBiases(SamplingOptions options, int vocabularySize, List<SamplingViolation> found)
    {
        if (options.LogitBias.IsDefault || options.LogitBias.Length > SamplingLimits.MaxBiases)
        {
            found.Add(new("logit_bias", $"at most {SamplingLimits.MaxBiases} entries", options.LogitBias.IsDefault ? "unset" : Show(options.LogitBias.Length)));
            return;
        }

        foreach (var (id, bias) in options.LogitBias)
        {
            if (id < 0 || id >= vocabularySize)
            {
                found.Add(new("logit_bias", $"keyed by token ids from 0 to {vocabularySize - 1}", Show(id)));
            }

            Within($"logit_bias[{Show(id)}]", bias, -SamplingLimits.MaxBias, SamplingLimits.MaxBias, found);
        }
    }

    private static void CheckStops(SamplingOptions options, List<SamplingViolation> found)
    {
        if (options.Stop.IsDefault || options.Stop.Length > SamplingLimits.MaxStops)
        {
            found.Add(new("stop", $"at most {SamplingLimits.MaxStops} texts", options.Stop.IsDefault ? "unset" : Show(options.Stop.Length)));
            return;
        }

        for (var index = 0; index < options.Stop.Length; index++)
        {
            var stop = options.Stop[index];
            if (stop is null || stop.Length is 0 or > SamplingLimits.MaxStopLength)
            {
                found.Add(new($"stop[{index}]", $"1 to {SamplingLimits.MaxStopLength} characters", stop is null ? "null" : Show(stop.Length)));
            }
            else if (!Utf8.IsWellFormed(stop))
            {
                found.Add(new($"stop[{index}]", "well-formed Unicode", Shorten(stop)));
            }
        }
    }

    // NaN fails both comparisons, so it is a violation like any other.
    private static void Within(string field, double value, double low, double high, List<SamplingViolation> found)
    {
        if (!(value >= low && value <= high))
        {
            found.Add(new(field, $">= {Show(low)} and <= {Show(high)}", Show(value)));
        }
    }

    private static string Show(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Shorten(string text) =>
        string.Concat(text.EnumerateRunes().Take(ShownCharacters).Select(rune => rune.ToString()));
}

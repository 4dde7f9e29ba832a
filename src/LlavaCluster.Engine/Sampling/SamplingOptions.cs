using System.Collections.Immutable;

namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// How the next token of a request is chosen and when its answer ends. Immutable; the same for every choice of a request.
/// It says nothing of what is legal for a model: <see cref="SamplingValidator"/> does.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the scores before the draw. 0 is greedy: the highest score, and of equal ones the lowest id.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Keeps the smallest set of likeliest tokens whose probabilities sum to at least this. 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Keeps the k highest scores, and every score equal to the k-th. 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Drops tokens less likely than this share of the likeliest one. 0 drops none.</summary>
    public double MinP { get; init; }

    /// <summary>Divides positive and multiplies negative scores of every id of the prompt (image ids too) and answer. 1 is off.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from a token's score once per time it occurs in the answer so far.</summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>Subtracted once from the score of a token that occurs in the answer so far.</summary>
    public double PresencePenalty { get; init; }

    /// <summary>Added to the scores of single tokens, after the penalties.</summary>
    public ImmutableArray<TokenBias> LogitBias { get; init; } = [];

    /// <summary>Key of the noise. Null lets whoever accepts the request draw one, which must be journaled with it.</summary>
    public long? Seed { get; init; }

    /// <summary>Whether each token comes with its log-probability.</summary>
    public bool Logprobs { get; init; }

    /// <summary>How many of the likeliest tokens are reported at each position; needs <see cref="Logprobs"/>.</summary>
    public int TopLogprobs { get; init; }

    /// <summary>How many answers are drawn for one prompt (<c>n</c>).</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Upper bound on the tokens of one answer, the one that ends it included.</summary>
    public int MaxTokens { get; init; } = 512;

    /// <summary>Texts that end the answer and are not part of it.</summary>
    public ImmutableArray<string> Stop { get; init; } = [];

    /// <summary>Never draw an end-of-sequence token (unless a constraint leaves nothing else).</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Whether the draw is the plain maximum.</summary>
    public bool IsGreedy => Temperature == 0;

    /// <summary>What a row of logits is needed for where no constraint restricts it.</summary>
    internal DrawKind Draw =>
        !IsGreedy || RepetitionPenalty != 1 || FrequencyPenalty != 0 || PresencePenalty != 0 || !LogitBias.IsDefaultOrEmpty || Logprobs ? DrawKind.Sampler
        : IgnoreEos ? DrawKind.HighestButEnds
        : DrawKind.Highest;
}

/// <summary>What is added to the score of one token.</summary>
public readonly record struct TokenBias(int Id, double Bias);

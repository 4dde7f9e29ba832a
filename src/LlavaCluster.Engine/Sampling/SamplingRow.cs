namespace LlavaCluster.Engine.Sampling;

/// <summary>All that one draw depends on. Spans belong to the caller and are read during the call only.</summary>
internal readonly ref struct SamplingRow
{
    /// <summary>The model's scores, [vocabulary]. Not changed, so that the answers of one prompt can share the row.</summary>
    public required ReadOnlySpan<float> Logits { get; init; }

    public required SamplingOptions Options { get; init; }

    public required SamplingHistory History { get; init; }

    public required NoiseKey Noise { get; init; }

    /// <summary>Bit i % 64 of word i / 64 tells whether a constraint allows token i. Empty allows all.</summary>
    public ReadOnlySpan<ulong> Allowed { get; init; }

    /// <summary>Written with the likeliest tokens, best first, as many as fit; empty when none are asked for.</summary>
    public Span<TokenLogprob> TopLogprobs { get; init; }
}

namespace LlavaCluster.Engine.Sampling;

/// <summary>The distribution that <see cref="Sampler"/> would draw from, written out over the vocabulary: for comparisons with a reference, not for the step loop.</summary>
public static class TokenDistribution
{
    /// <param name="logits">One row, [vocabulary].</param>
    /// <param name="prompt">Ids before the token, image ids included.</param>
    /// <param name="options">Temperature above 0.</param>
    /// <returns>Probabilities, [vocabulary]; exactly 0 where a token was removed.</returns>
    public static double[] Of(ReadOnlySpan<float> logits, ReadOnlySpan<int> prompt, SamplingOptions options)
    {
        var candidates = new Sampler(logits.Length, [], []).Candidates(new SamplingRow
        {
            Logits = logits,
            Options = options,
            History = new SamplingHistory(prompt, 1),
            Noise = default,
        }) ?? throw new ArgumentException("No token of the row can be drawn.", nameof(logits));
        var probabilities = new double[logits.Length];
        for (var i = 0; i < candidates.Ids.Length; i++)
        {
            probabilities[candidates.Ids[i]] = candidates.Weights[i] / candidates.Total;
        }

        return probabilities;
    }
}

namespace LlavaCluster.Engine.Sampling;

/// <summary>Log-softmax of one row: of single tokens, and of the likeliest. Reused; one thread at a time; allocates nothing after construction.</summary>
internal sealed class LogprobReader(int vocabularySize)
{
    private readonly float[] _scratch = new float[vocabularySize];
    private double _logSum;

    /// <summary>Takes the normaliser of a row.</summary>
    /// <param name="scores">[vocabulary], minus infinity where a row is no token.</param>
    /// <param name="max">Their maximum, finite.</param>
    public void Load(ReadOnlySpan<float> scores, float max)
    {
        scores.CopyTo(_scratch);
        _logSum = max + Math.Log(StableExp.Apply(_scratch, max, 1));
    }

    public float Of(float score) => (float)(score - _logSum);

    /// <summary>Writes the likeliest tokens, best first, the lower id first among equals.</summary>
    /// <returns>How many: the length of <paramref name="top"/> or the number of tokens, whichever is less.</returns>
    public int Top(ReadOnlySpan<float> scores, Span<TokenLogprob> top)
    {
        if (top.IsEmpty)
        {
            return 0;
        }

        var count = 0;
        for (var id = 0; id < scores.Length; id++)
        {
            var score = scores[id];
            if (score == float.NegativeInfinity || (count == top.Length && score <= top[count - 1].Logprob))
            {
                continue;
            }

            var at = count < top.Length ? count++ : count - 1;
            for (; at > 0 && top[at - 1].Logprob < score; at--)
            {
                top[at] = top[at - 1];
            }

            top[at] = new TokenLogprob(id, score);
        }

        foreach (ref var entry in top[..count])
        {
            entry = entry with { Logprob = Of(entry.Logprob) };
        }

        return count;
    }
}

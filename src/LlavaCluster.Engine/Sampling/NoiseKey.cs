namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// Names the random numbers that a token is drawn with. Equal keys give equal numbers on every machine, so a request
/// that is replayed elsewhere from its journal draws the same tokens, whatever else runs beside it.
/// </summary>
/// <param name="Seed">The request's seed.</param>
/// <param name="Choice">Index of the answer among the request's <c>n</c>, from 0.</param>
/// <param name="Position">Index of the drawn token in the whole sequence: prompt tokens (image tokens included) plus tokens emitted before it.</param>
internal readonly record struct NoiseKey(long Seed, int Choice, int Position)
{
    /// <summary>A number in [0, 1) with 53 random bits: Philox of counter (position, choice, index, level) under key (low, high half of the seed).</summary>
    public double Uniform(int index = 0, int level = 0)
    {
        var seed = unchecked((ulong)Seed);
        var (high, low, _, _) = Philox4x32.Generate(((uint)Position, (uint)Choice, (uint)index, (uint)level), ((uint)seed, (uint)(seed >> 32)));
        return ((((ulong)high << 32) | low) >> 11) * (1.0 / (1UL << 53));
    }
}

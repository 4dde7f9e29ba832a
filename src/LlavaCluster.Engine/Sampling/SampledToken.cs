namespace LlavaCluster.Engine.Sampling;

/// <summary>What came of one draw.</summary>
/// <param name="Status">Whether there is a token at all; the rest means nothing when it is not <see cref="SampleStatus.Drawn"/>.</param>
/// <param name="Id">The token.</param>
/// <param name="Logprob">
/// Natural logarithm of the token's probability under the model itself (see <see cref="Sampler"/>); NaN unless asked for.
/// </param>
/// <param name="TopCount">How many entries of <see cref="SamplingRow.TopLogprobs"/> were written.</param>
internal readonly record struct SampledToken(SampleStatus Status, int Id, float Logprob, int TopCount);

/// <summary>A token and the natural logarithm of its probability.</summary>
public readonly record struct TokenLogprob(int Id, float Logprob);

internal enum SampleStatus
{
    Drawn,

    /// <summary>The model's row holds NaN or positive infinity: the sequence (not its neighbours) must fail.</summary>
    NotFinite,

    /// <summary>No token is allowed: the constraint cannot go on with this vocabulary.</summary>
    NothingAllowed,
}

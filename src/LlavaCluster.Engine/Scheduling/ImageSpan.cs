using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>One image of one sequence: the token positions its features fill, the key they are cached under, and the slot while the sequence holds a reference.</summary>
/// <param name="Key">Names the features: scope, image, preprocessing and projector.</param>
/// <param name="Start">First token position.</param>
/// <param name="Tokens">Number of features, at least 1.</param>
internal sealed record ImageSpan(CacheKey Key, int Start, int Tokens)
{
    public const int NoSlot = -1;

    public int End => Start + Tokens;

    /// <summary>Where the features lie while this sequence holds a reference to them, otherwise <see cref="NoSlot"/>.</summary>
    public int Slot { get; set; } = NoSlot;
}

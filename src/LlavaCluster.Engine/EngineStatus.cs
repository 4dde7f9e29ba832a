namespace LlavaCluster.Engine;

/// <summary>Load and counters of one engine; each figure was right at some moment of the last step.</summary>
public sealed record EngineStatus
{
    public required EngineHealth Health { get; init; }

    /// <summary>Sequences that hold KV blocks, and sequences that wait.</summary>
    public required int Running { get; init; }

    public required int Waiting { get; init; }

    /// <summary>Tokens that the waiting sequences still have to compute.</summary>
    public required long WaitingTokens { get; init; }

    /// <summary>Blocks that could be given out now, cached ones included, of the total.</summary>
    public required int FreeBlocks { get; init; }

    public required int TotalBlocks { get; init; }

    /// <summary>Image tokens whose features are kept, of those that may be.</summary>
    public required int ImageTokensCached { get; init; }

    public required int ImageTokenBudget { get; init; }

    /// <summary>Adapters that are loaded, and their bytes on the device.</summary>
    public required int Adapters { get; init; }

    public required long AdapterBytes { get; init; }

    /// <summary>Since the start: steps, tokens computed, tokens generated.</summary>
    public required long Steps { get; init; }

    public required long ComputedTokens { get; init; }

    public required long GeneratedTokens { get; init; }

    public required long Preemptions { get; init; }

    /// <summary>Prompt tokens looked up in the prefix cache and found there.</summary>
    public required long PrefixQueries { get; init; }

    public required long PrefixHits { get; init; }

    /// <summary>Images looked up in the feature cache and found there.</summary>
    public required long ImageQueries { get; init; }

    public required long ImageHits { get; init; }
}

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>One streamed answer as the client saw it. Times are those of the level's clock.</summary>
internal sealed record LoadRequest
{
    public required int Turn { get; init; }

    /// <summary>Before the request was sent.</summary>
    public required TimeSpan Began { get; init; }

    public required TimeSpan Ended { get; init; }

    /// <summary>When each piece of text arrived; a piece may hold several tokens.</summary>
    public required IReadOnlyList<TimeSpan> Pieces { get; init; }

    /// <summary>Characters of each piece.</summary>
    public required IReadOnlyList<int> Lengths { get; init; }

    public required string Text { get; init; }

    /// <summary>As the server counted, or the pieces where it did not.</summary>
    public required int Tokens { get; init; }

    public int? PromptTokens { get; init; }

    /// <summary>Tokens of the prompt that the server did not compute again.</summary>
    public int? CachedTokens { get; init; }

    /// <summary>What the server says answered; of ours, the adapter's version.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>Why there is no whole answer.</summary>
    public string? Error { get; init; }

    public TimeSpan FirstToken => Pieces[0] - Began;

    /// <summary>Of each token after the first, on average; null for an answer of one token.</summary>
    public TimeSpan? PerToken => Tokens > 1 ? (Pieces[^1] - Pieces[0]) / (Tokens - 1) : null;

    public IEnumerable<TimeSpan> Gaps => Pieces.Skip(1).Zip(Pieces, (later, earlier) => later - earlier);
}

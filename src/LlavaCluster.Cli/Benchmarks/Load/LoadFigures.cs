namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>What one level came to. Seconds; null where no answer allows the figure.</summary>
internal sealed record LoadFigures
{
    private const int MostErrors = 5;

    public required string Level { get; init; }

    /// <summary>Chats at once, or chats begun in a second.</summary>
    public required double Size { get; init; }

    public required int Requests { get; init; }

    public required int Failed { get; init; }

    public required double Seconds { get; init; }

    public required double TokensPerSecond { get; init; }

    public required double RequestsPerSecond { get; init; }

    /// <summary>Requests a second that met both bounds ("goodput", DistServe, Zhong et al. 2024, section 2).</summary>
    public required double GoodPerSecond { get; init; }

    /// <summary>From the request's beginning, connecting included, to the first text.</summary>
    public required Spread? FirstToken { get; init; }

    /// <summary>Between two pieces of text.</summary>
    public required Spread? Gap { get; init; }

    /// <summary>Mean time of a request's tokens after the first.</summary>
    public required Spread? PerToken { get; init; }

    /// <summary>Tokens a piece of text brings on average; above 1, gaps are of several tokens.</summary>
    public required double? TokensPerPiece { get; init; }

    public required double? PromptTokens { get; init; }

    public required double? CachedTokens { get; init; }

    /// <summary>Median time to first token of each turn.</summary>
    public required IReadOnlyList<double?> FirstTokenByTurn { get; init; }

    /// <summary>Different reasons of failures.</summary>
    public required IReadOnlyList<string> Errors { get; init; }

    /// <param name="requests">Every one that was sent.</param>
    public static LoadFigures Of(LoadLevel level, IReadOnlyList<LoadRequest> requests, LoadOptions options)
    {
        var whole = requests.Where(request => request.Error is null).ToList();
        var seconds = requests.Count == 0 ? 0 : (requests.Max(request => request.Ended) - requests.Min(request => request.Began)).TotalSeconds;
        var tokens = whole.Sum(request => request.Tokens);
        var good = whole.Count(request => request.FirstToken <= options.FirstTokenWithin && (request.PerToken ?? TimeSpan.Zero) <= options.TokenWithin);
        return new LoadFigures
        {
            Level = level.ToString(),
            Size = level.Size,
            Requests = requests.Count,
            Failed = requests.Count - whole.Count,
            Seconds = seconds,
            TokensPerSecond = Rate(tokens),
            RequestsPerSecond = Rate(whole.Count),
            GoodPerSecond = Rate(good),
            FirstToken = Spread.Of(whole.Select(request => request.FirstToken)),
            Gap = Spread.Of(whole.SelectMany(request => request.Gaps)),
            PerToken = Spread.Of(whole.Select(request => request.PerToken).OfType<TimeSpan>()),
            TokensPerPiece = whole.Count == 0 ? null : (double)tokens / whole.Sum(request => request.Pieces.Count),
            PromptTokens = Mean(whole.Select(request => request.PromptTokens)),
            CachedTokens = Mean(whole.Select(request => request.CachedTokens)),
            FirstTokenByTurn = [.. Enumerable.Range(0, options.Turns).Select(turn => Spread.Of(whole.Where(request => request.Turn == turn).Select(request => request.FirstToken))?.Median)],
            Errors = [.. requests.Select(request => request.Error).OfType<string>().Distinct().Order(StringComparer.Ordinal).Take(MostErrors)],
        };

        double Rate(int count) => seconds > 0 ? count / seconds : 0;
    }

    // Of the requests whose server tells.
    private static double? Mean(IEnumerable<int?> counts)
    {
        var told = counts.OfType<int>().ToList();
        return told.Count == 0 ? null : told.Average();
    }
}

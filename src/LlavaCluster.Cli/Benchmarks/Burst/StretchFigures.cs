using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>How streams went in a stretch of time.</summary>
internal sealed record StretchFigures
{
    public required double Seconds { get; init; }

    /// <summary>Between two pieces of text of a stream.</summary>
    public required Spread Gap { get; init; }

    /// <summary>Of all streams together. A stream's usage tells only its sum; the tokens of a stretch are its share of the characters.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Tokens a piece of text brings on average; above 1, gaps are of several tokens.</summary>
    public required double TokensPerPiece { get; init; }

    /// <param name="streams">Whole answers.</param>
    /// <param name="counts">Whether the gap between two times is one of the stretch's.</param>
    /// <returns>Null where no gap counts.</returns>
    public static StretchFigures? Of(Stretch stretch, IReadOnlyList<LoadRequest> streams, Func<TimeSpan, TimeSpan, bool> counts)
    {
        var gaps = streams.SelectMany(stream => stream.Pieces.Zip(stream.Pieces.Skip(1))).Where(gap => counts(gap.First, gap.Second)).Select(gap => gap.Second - gap.First);
        if (Spread.Of(gaps) is not { } spread)
        {
            return null;
        }

        var tokens = streams.Sum(stream => Share(stretch, stream) * stream.Tokens);
        return new StretchFigures
        {
            Seconds = stretch.Length.TotalSeconds,
            Gap = spread,
            TokensPerSecond = tokens / stretch.Length.TotalSeconds,
            TokensPerPiece = tokens / Math.Max(1, streams.Sum(stream => stream.Pieces.Count(stretch.Has))),
        };
    }

    private static double Share(Stretch stretch, LoadRequest stream) =>
        (double)stream.Pieces.Zip(stream.Lengths).Where(piece => stretch.Has(piece.First)).Sum(piece => piece.Second) / stream.Lengths.Sum();
}

/// <summary>A stretch of time, without its beginning and with its end.</summary>
internal readonly record struct Stretch(TimeSpan From, TimeSpan To)
{
    public TimeSpan Length => To - From;

    public bool Has(TimeSpan time) => time > From && time <= To;

    /// <summary>Whether the time between two others lies wholly within.</summary>
    public bool Holds(TimeSpan begin, TimeSpan end) => begin >= From && end <= To;

    /// <summary>Whether any of the time between two others lies within.</summary>
    public bool Meets(TimeSpan begin, TimeSpan end) => begin < To && end > From;
}

using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>What a burst did to the streams beside it, in one round. Seconds.</summary>
internal sealed record BurstFigures
{
    /// <summary>From the time that every stream had had its lead to the burst's sending; gaps that lie wholly within.</summary>
    public required StretchFigures Quiet { get; init; }

    /// <summary>From the burst's sending to its last first token; gaps of which any part lies within, for a stall that outlasts it is the burst's.</summary>
    public required StretchFigures Burst { get; init; }

    /// <summary>From the end of the burst's last answer to the end of the first stream; null where the streams ended before a gap was whole.</summary>
    public required StretchFigures? After { get; init; }

    /// <summary>Of the burst, from each request's beginning.</summary>
    public required Spread FirstToken { get; init; }

    /// <summary>99th percentile between two texts, under the burst over quiet.</summary>
    public double GapRatio => Burst.Gap.P99 / Quiet.Gap.P99;

    /// <param name="lead">Pieces of text of a stream before the quiet time.</param>
    /// <param name="sent">When the burst was: no sooner than each stream had had a piece after its lead.</param>
    /// <param name="streams">Whole answers whose last pieces came after the burst's first ones.</param>
    /// <param name="burst">Whole answers.</param>
    public static BurstFigures Of(int lead, TimeSpan sent, IReadOnlyList<LoadRequest> streams, IReadOnlyList<LoadRequest> burst)
    {
        var quiet = new Stretch(streams.Max(stream => stream.Pieces[lead - 1]), sent);
        var beside = new Stretch(sent, burst.Max(request => request.Pieces[0]));
        var after = new Stretch(burst.Max(request => request.Ended), streams.Min(stream => stream.Pieces[^1]));
        return new BurstFigures
        {
            Quiet = StretchFigures.Of(quiet, streams, quiet.Holds)!,
            Burst = StretchFigures.Of(beside, streams, beside.Meets)!,
            After = StretchFigures.Of(after, streams, after.Holds),
            FirstToken = Spread.Of(burst.Select(request => request.FirstToken))!,
        };
    }
}

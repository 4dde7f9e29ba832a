using System.Globalization;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>What came of a round: figures, or why there are none.</summary>
internal abstract record BurstRound
{
    private const int MostReasons = 5;

    private BurstRound()
    {
    }

    /// <param name="sent">When the burst was.</param>
    public static BurstRound Of(BurstOptions options, TimeSpan sent, IReadOnlyList<LoadRequest> streams, IReadOnlyList<LoadRequest> burst)
    {
        var reasons = streams.Concat(burst).Select(request => request.Error).OfType<string>().Distinct().Take(MostReasons).ToList();
        if (reasons.Count > 0)
        {
            return new Failed(reasons);
        }

        var early = burst.Max(request => request.Pieces[0]) - streams.Min(stream => stream.Pieces[^1]);
        return early < TimeSpan.Zero
            ? new Measured(BurstFigures.Of(options.Lead, sent, streams, burst))
            : new Failed([string.Create(CultureInfo.InvariantCulture, $"The streams must outlast the burst, but one ended {early.TotalSeconds:0.0} s before the last of the burst had its first token: --max-tokens must be larger, or --burst smaller; were {options.MaxTokens} and {options.Burst}.")]);
    }

    public sealed record Measured(BurstFigures Figures) : BurstRound;

    /// <param name="Reasons">Different ones.</param>
    public sealed record Failed(IReadOnlyList<string> Reasons) : BurstRound;
}

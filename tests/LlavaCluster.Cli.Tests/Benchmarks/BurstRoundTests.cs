using LlavaCluster.Cli.Benchmarks.Burst;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Tests.Benchmarks;

/// <summary>What becomes of the times that were noted around a burst.</summary>
public sealed class BurstRoundTests
{
    private static readonly BurstOptions Options = new()
    {
        Streams = 2, MaxTokens = 40, Burst = 2, BurstTokens = 2, Lead = 2, Quiet = 2, Words = 3, Seed = 1, Timeout = TimeSpan.FromMinutes(1),
    };

    [Fact]
    public void Of_PutsEachGapIntoItsStretch()
    {
        // Quiet from 2, when the second stream had its lead, to the burst at 5.5; under the burst to 10, when its last first token came; after it from 11 to 14.
        var figures = Measured(
            sent: 5.5,
            [Answer(0, [1, 1.5, 2.5, 3.5, 5, 8, 12, 13, 14]), Answer(0, [1, 2, 3, 4, 5, 6, 9.5, 11.5, 13, 15])],
            [Answer(5.5, [7, 8]), Answer(5.5, [10, 11])]);

        // 2.5-3.5, 3.5-5 and 2-3, 3-4, 4-5 lie within; 1.5-2.5 began before, 5-8 and 5-6 ended later.
        Assert.Equal((3.5, 1.0, 1.5, 1.1), (figures.Quiet.Seconds, figures.Quiet.Gap.Median, figures.Quiet.Gap.Largest, figures.Quiet.Gap.Mean));

        // 5-8, 8-12 and 5-6, 6-9.5, 9.5-11.5: those that begin before and those that end after it too.
        Assert.Equal((4.5, 3.0, 4.0), (figures.Burst.Seconds, figures.Burst.Gap.Median, figures.Burst.Gap.Largest));

        // 12-13, 13-14 and 11.5-13.
        Assert.Equal((3.0, 1.0, 1.5), (figures.After!.Seconds, figures.After.Gap.Median, figures.After.Gap.Largest));
        Assert.Equal((3.0, 4.5), (figures.FirstToken.Median, figures.FirstToken.Largest));
        Assert.Equal(figures.Burst.Gap.P99 / figures.Quiet.Gap.P99, figures.GapRatio);
    }

    [Fact]
    public void Of_CountsTokensByTheirShareOfTheCharacters()
    {
        var stream = Answer(0, [1, 2, 3, 4, 5, 6]) with { Lengths = [10, 10, 5, 15, 50, 10], Tokens = 20 };

        var figures = Measured(sent: 4.5, [stream], [Answer(4.5, [5.5])]);

        // From 2 to 4.5 a fifth of its characters, four tokens, came in two pieces; from 4.5 to 5.5 half of them in one.
        Assert.Equal((4 / 2.5, 2.0), (figures.Quiet.TokensPerSecond, figures.Quiet.TokensPerPiece));
        Assert.Equal((10.0, 10.0), (figures.Burst.TokensPerSecond, figures.Burst.TokensPerPiece));
        Assert.Null(figures.After);
    }

    [Fact]
    public void Of_StreamThatDidNotOutlastTheBurst_SaysSoAndHasNoFigures()
    {
        var round = BurstRound.Of(Options, TimeSpan.FromSeconds(4.5), [Answer(0, [1, 2, 3, 4, 9]), Answer(0, [1, 2, 3, 4, 5])], [Answer(4.5, [5, 6]), Answer(4.5, [7])]);

        Assert.Equal(
            "The streams must outlast the burst, but one ended 2.0 s before the last of the burst had its first token: --max-tokens must be larger, or --burst smaller; were 40 and 2.",
            Assert.Single(Assert.IsType<BurstRound.Failed>(round).Reasons));
    }

    [Fact]
    public void Of_FailedAnswer_SaysWhyAndHasNoFigures()
    {
        var refused = Answer(4.5, []) with { Error = "HTTP 503" };
        var round = BurstRound.Of(Options, TimeSpan.FromSeconds(4.5), [Answer(0, [1, 2, 3, 4, 9])], [Answer(4.5, [5, 6]), refused, refused]);

        Assert.Equal(["HTTP 503"], Assert.IsType<BurstRound.Failed>(round).Reasons);
    }

    [Fact]
    public void Report_OfRounds_HasTheMediansAndTheRatioOfEachRound()
    {
        var report = new BurstReport("http://here/", "some", Options, [Round(quiet: 0.010, burst: 0.040), Round(quiet: 0.020, burst: 0.040), Round(quiet: 0.040, burst: 0.120)], []);

        var rows = report.ToMarkdown().Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToDictionary(cells => cells[1]);
        Assert.Equal("20.0 (10.0 to 40.0)", rows["quiet"][3]);
        Assert.Equal("40.0 (40.0 to 120.0)", rows["under the burst"][3]);
        Assert.Equal("-", rows["after it"][3]);
        Assert.Equal("3.00 (2.00 to 4.00)", rows["under the burst / quiet"][3]); // and not 2, that of the medians
    }

    [Fact]
    public async Task Milestone_IsReachedWhenTheLastAnswerIs()
    {
        var milestone = new Milestone(answers: 2, pieces: 2);
        foreach (var had in (int[])[1, 2, 3, 1])
        {
            milestone.Note(had);
            Assert.False(milestone.Reached.IsCompleted);
        }

        milestone.Note(2);
        await milestone.Reached;
    }

    private static BurstFigures Measured(double sent, IReadOnlyList<LoadRequest> streams, IReadOnlyList<LoadRequest> burst) =>
        Assert.IsType<BurstRound.Measured>(BurstRound.Of(Options, TimeSpan.FromSeconds(sent), streams, burst)).Figures;

    private static BurstFigures Round(double quiet, double burst) => new() { Quiet = Stretch(quiet), Burst = Stretch(burst), After = null, FirstToken = new Spread(1, 1, 1, 1, 1) };

    private static StretchFigures Stretch(double gap) => new() { Seconds = 1, Gap = new Spread(gap, gap, gap, gap, gap), TokensPerSecond = 1 / gap, TokensPerPiece = 1 };

    private static LoadRequest Answer(double began, double[] pieces) => new()
    {
        Turn = 0, Began = TimeSpan.FromSeconds(began), Ended = TimeSpan.FromSeconds(pieces.LastOrDefault()), Pieces = [.. pieces.Select(TimeSpan.FromSeconds)], Lengths = [.. pieces.Select(_ => 3)], Text = "", Tokens = pieces.Length,
    };
}

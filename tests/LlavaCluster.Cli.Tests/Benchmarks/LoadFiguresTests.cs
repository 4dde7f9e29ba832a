using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Tests.Benchmarks;

/// <summary>What the load client makes of the times that it noted.</summary>
public sealed class LoadFiguresTests
{
    private static readonly LoadOptions Options = new()
    {
        Chats = 2, Turns = 2, MaxTokens = 4, Words = 3, Pictures = PictureChoice.None, Seed = 1, Timeout = TimeSpan.FromMinutes(1),
        FirstTokenWithin = TimeSpan.FromSeconds(1), TokenWithin = TimeSpan.FromSeconds(0.5),
    };

    [Fact]
    public void Figures_CountWholeAnswersAndTheirTimes()
    {
        var figures = LoadFigures.Of(
            new LoadLevel.Closed(2),
            [
                Request(0, 0, [1, 2], tokens: 4, ended: 2), // 4 tokens in two pieces: a third of a second each after the first
                Request(1, 2, [2.5, 4.5], tokens: 2, ended: 4.5), // two seconds for its second token: not good
                Request(0, 1, [3, 3.25], tokens: 2, ended: 3.5), // two seconds for its first: not good
                Request(0, 1, [2], tokens: 1, ended: 5, error: "lost"),
            ],
            Options);

        Assert.Equal(("2 at once", 2.0, 4, 1), (figures.Level, figures.Size, figures.Requests, figures.Failed));
        Assert.Equal((5.0, 8 / 5.0, 3 / 5.0, 1 / 5.0), (figures.Seconds, figures.TokensPerSecond, figures.RequestsPerSecond, figures.GoodPerSecond));
        Assert.Equal((1.0, 2.0), (figures.FirstToken!.Median, figures.FirstToken.Largest));
        Assert.Equal((1.0, 2.0), (figures.Gap!.Median, figures.Gap.Largest));
        Assert.Equal(1 / 3.0, figures.PerToken!.Median, 1e-6); // of 1/3, 2 and 1/4
        Assert.Equal(8 / 6.0, figures.TokensPerPiece);
        Assert.Equal([1.5, 0.5], figures.FirstTokenByTurn);
        Assert.Equal(["lost"], figures.Errors);
    }

    [Fact]
    public void Figures_OfNoWholeAnswer_AreAbsentAndNotZero()
    {
        var figures = LoadFigures.Of(new LoadLevel.Poisson(0.5), [Request(0, 0, [], tokens: 0, ended: 1, error: "HTTP 503")], Options);

        Assert.Equal(("0.5 a second", 1, 1, 0.0), (figures.Level, figures.Requests, figures.Failed, figures.TokensPerSecond));
        Assert.Equal((null, null, null, null), (figures.FirstToken, figures.Gap, figures.PerToken, figures.TokensPerPiece));
        Assert.Equal([null, null], figures.FirstTokenByTurn);
    }

    [Fact]
    public void Spread_InterpolatesBetweenNeighbours()
    {
        var spread = Spread.Of(Enumerable.Range(1, 101).Reverse().Select(i => TimeSpan.FromSeconds(i)))!;

        Assert.Equal((51, 96, 100, 101, 51), (spread.Median, spread.P95, spread.P99, spread.Largest, spread.Mean));
        Assert.Equal(1.5, Spread.Of([TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1)])!.Median);
    }

    private static LoadRequest Request(int turn, double began, double[] pieces, int tokens, double ended, string? error = null) => new()
    {
        Turn = turn, Began = TimeSpan.FromSeconds(began), Ended = TimeSpan.FromSeconds(ended), Pieces = [.. pieces.Select(TimeSpan.FromSeconds)], Lengths = [.. pieces.Select(_ => 0)], Text = "", Tokens = tokens, Error = error,
    };
}

using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Benchmarks.Streams;

namespace LlavaCluster.Cli.Tests.Benchmarks;

public sealed class AddedLatencyTests
{
    [Fact]
    public void Of_CountsTokensWhileAllStreamsAreUnderWay()
    {
        var early = Answer((0, 10), (100, 103), (200, 207));
        var late = Answer((90, 100), (150, 152), (300, 330));

        var added = AddedLatency.Of([early, late])!;

        // All are under way from 100 ms, when the later one's first text came, to 207 ms, when the earlier one's last did.
        Assert.Equal(3, added.Tokens);
        Assert.Equal((0.003, 0.007), (Math.Round(added.Times.Median, 6), Math.Round(added.Times.Largest, 6)));
        Assert.Equal(3 / 0.107, added.TokensPerSecond, 1e-6);
    }

    [Fact]
    public void Of_TextThatBringsSeveralTokens_CountsEach()
    {
        var (first, pair, last) = (Stamp(0), Stamp(20) + Stamp(30), Stamp(50));
        var answer = Answer((0, 10), (50, 60)) with { Pieces = [Milliseconds(10), Milliseconds(35), Milliseconds(60)], Lengths = [first.Length, pair.Length, last.Length], Text = first + pair + last };

        var added = AddedLatency.Of([answer])!;

        Assert.Equal(3, added.Tokens);
        Assert.Equal((0.01, 0.015), (Math.Round(added.Times.Median, 6), Math.Round(added.Times.Largest, 6))); // of 5, 15 and 10 ms
    }

    [Fact]
    public void Of_StreamsThatNeverRanTogether_IsNone() => Assert.Null(AddedLatency.Of([Answer((0, 1), (10, 11)), Answer((20, 21), (30, 31))]));

    [Fact]
    public void Of_Failures_IsNone() => Assert.Null(AddedLatency.Of([Answer((0, 1)) with { Error = "refused" }]));

    private static LoadRequest Answer(params (int Given, int Came)[] tokens)
    {
        var texts = tokens.Select(token => Stamp(token.Given)).ToList();
        return new LoadRequest
        {
            Turn = 0, Began = TimeSpan.Zero, Ended = Milliseconds(tokens[^1].Came), Pieces = [.. tokens.Select(token => Milliseconds(token.Came))],
            Lengths = texts.ConvertAll(text => text.Length), Text = string.Concat(texts), Tokens = tokens.Length,
        };
    }

    private static string Stamp(int milliseconds) => TokenStamp.Write(Milliseconds(milliseconds));

    private static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);
}

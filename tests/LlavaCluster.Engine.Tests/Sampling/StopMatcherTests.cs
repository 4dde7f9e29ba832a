using CsCheck;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Tests.Sampling;

public sealed class StopMatcherTests
{
    [Fact]
    public void Push_WhenNothingCanBeAStop_ReleasesAtOnce()
    {
        var matcher = new StopMatcher(["###"]);
        Assert.Equal("hello", matcher.Push("hello"));
        Assert.Equal("", matcher.Finish());
    }

    [Fact]
    public void Push_WhenAStopMayHaveBegun_HoldsBackExactlyThat()
    {
        var matcher = new StopMatcher(["USER:"]);
        Assert.Equal("Hi ", matcher.Push("Hi US"));
        Assert.Equal("USA", matcher.Push("A"));
        Assert.Null(matcher.Matched);
    }

    [Fact]
    public void Push_WhenAStopCompletes_ReleasesTheTextBeforeItAndDropsTheRest()
    {
        var matcher = new StopMatcher(["USER:"]);
        Assert.Equal("a", matcher.Push("aUSE"));
        Assert.Equal("", matcher.Push("R: more"));
        Assert.Equal("USER:", matcher.Matched);
        Assert.Equal("", matcher.Push("again"));
        Assert.Equal("", matcher.Finish());
    }

    [Fact]
    public void Push_WhenAFailedStopHoldsTheBeginningOfAnother_KeepsThatPart()
    {
        var matcher = new StopMatcher(["aab"]);
        Assert.Equal("a", matcher.Push("aaa"));
        Assert.Equal("", matcher.Push("b"));
        Assert.Equal("aab", matcher.Matched);
    }

    [Fact]
    public void Push_WhenAShorterStopEndsInsideALongerOne_StopsAtTheFirstToEnd()
    {
        var matcher = new StopMatcher(["abcd", "bc"]);
        Assert.Equal("a", matcher.Push("abcd"));
        Assert.Equal("bc", matcher.Matched);
    }

    [Fact]
    public void Push_WhenTwoStopsEndTogether_TakesTheLonger()
    {
        var matcher = new StopMatcher(["c", "abc"]);
        Assert.Equal("x", matcher.Push("xabc"));
        Assert.Equal("abc", matcher.Matched);
    }

    [Fact]
    public void Finish_WhenTheAnswerEndsInsideAStop_ReleasesWhatWasHeld()
    {
        var matcher = new StopMatcher(["\n\n"]);
        Assert.Equal("end", matcher.Push("end\n"));
        Assert.Equal("\n", matcher.Finish());
    }

    [Fact]
    public void Push_WithoutStops_PassesEverything() => Assert.Equal("text", new StopMatcher([]).Push("text"));

    [Fact]
    public void Push_HoweverTheTextIsCut_ReleasesTheSameAndNeverPartOfAStop()
    {
        var letters = Gen.Char['a', 'c'];
        var stops = letters.Array[1, 4].Select(characters => new string(characters)).Array[1, 3];
        Gen.Select(stops, letters.Array[0, 30], Gen.Int[1, 5].Array[30]).Sample((found, characters, cuts) =>
        {
            var text = new string(characters);
            var (expected, stop) = Reference(text, found);
            var matcher = new StopMatcher([.. found]);
            var released = "";
            for (int at = 0, cut = 0; at < text.Length; cut++)
            {
                var length = Math.Min(cuts[cut], text.Length - at);
                released += matcher.Push(text.AsSpan(at, length));
                at += length;
                Assert.StartsWith(released, expected, StringComparison.Ordinal);
            }

            Assert.Equal(stop, matcher.Matched);
            Assert.Equal(expected, released + matcher.Finish());
        });
    }

    private static (string Text, string? Stop) Reference(string text, string[] stops)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var stop = stops.Where(text[..end].EndsWith).MaxBy(candidate => candidate.Length);
            if (stop is not null)
            {
                return (text[..(end - stop.Length)], stop);
            }
        }

        return (text, null);
    }
}

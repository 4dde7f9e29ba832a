using CsCheck;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Tests.Scheduling;

public sealed class PromptLookupTests
{
    [Theory]
    [InlineData("1 2 3 4 5 1 2 3", 4, "4 5 1 2")] // as far as there is room
    [InlineData("1 2 3 9 1 2 3 8 1 2 3", 1, "8")] // the latest place
    [InlineData("4 2 3 8 7 2 3 5 4 2 3", 1, "8")] // the longest run
    [InlineData("7 2 3 5 4 2 3", 2, "5 4")] // two are enough
    [InlineData("1 2 1 2 1 2", 3, "1 2")] // its own end
    [InlineData("6 6 6 6", 3, "6")]
    [InlineData("5 3 4 3", 3, "")] // one is not
    [InlineData("1 2 3 4", 3, "")]
    [InlineData("1 1", 3, "")]
    [InlineData("1", 3, "")]
    [InlineData("", 3, "")]
    public void Guess_IsWhatFollowedTheLastTokensBefore(string tokens, int most, string guess) => Assert.Equal(Ids(guess), Guess(Ids(tokens), most));

    [Fact]
    public void Guess_OfAnyTokens_FollowedTheLastTwoSomewhereBefore() =>
        Gen.Select(Gen.Int[0, 3].Array[0, 40], Gen.Int[1, 6]).Sample((tokens, most) =>
        {
            var guess = Guess(tokens, most);
            Assert.InRange(guess.Length, 0, most);
            var places = Enumerable.Range(2, Math.Max(0, tokens.Length - 2)).Where(at => tokens[(at - 2)..at].SequenceEqual(tokens[^2..]));
            Assert.Equal(places.Any(), guess.Length > 0);
            Assert.True(guess.Length == 0 || places.Any(at => tokens[at..].Take(guess.Length).SequenceEqual(guess)));
        });

    private static int[] Guess(int[] tokens, int most)
    {
        var guess = new int[most];
        return guess[..PromptLookup.Guess(tokens, guess)];
    }

    private static int[] Ids(string text) => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
}

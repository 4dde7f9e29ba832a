namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// Guesses how a text goes on from how it went on before (prompt lookup decoding, Saxena 2023): the last tokens are sought earlier in the sequence, and what followed them there
/// is the guess. Answers repeat their question's words, earlier turns and themselves. Costs no model.
/// </summary>
internal static class PromptLookup
{
    private const int Longest = 3, Shortest = 2; // of one token alone, what followed it before says little

    /// <summary>Writes the guess for what follows <paramref name="tokens"/>; the latest place where the longest run of last tokens stands decides.</summary>
    /// <returns>How many tokens were guessed, at most as many as <paramref name="guess"/> holds; 0 for none.</returns>
    public static int Guess(ReadOnlySpan<int> tokens, Span<int> guess)
    {
        for (var length = Longest; length >= Shortest; length--)
        {
            if (tokens.Length <= length)
            {
                continue;
            }

            var at = tokens[..^1].LastIndexOf(tokens[^length..]);
            if (at >= 0)
            {
                var followed = tokens[(at + length)..];
                var count = Math.Min(followed.Length, guess.Length);
                followed[..count].CopyTo(guess);
                return count;
            }
        }

        return 0;
    }
}

namespace LlavaCluster.Gateway.Requests;

/// <summary>What an error text shows of a value that a client made up: never much, and never half a character, which no JSON can carry.</summary>
internal static class Excerpt
{
    public static string Of(string text, int most)
    {
        if (text.Length <= most)
        {
            return text;
        }

        var end = char.IsHighSurrogate(text[most - 1]) ? most - 1 : most;
        return text[..end] + "...";
    }
}

namespace LlavaCluster.Model.Text;

/// <summary>Cuts trusted text at the names of special tokens: leftmost first, longest among those that start together (transformers: Trie.split).</summary>
internal static class SpecialTokenSplitter
{
    public static List<PromptItem> Split(string text, TokenizerSettings settings)
    {
        var items = new List<PromptItem>();
        var start = 0;
        for (var i = 0; i < text.Length;)
        {
            if (LongestAt(text, i, settings) is not { } name)
            {
                i++;
                continue;
            }

            if (i > start)
            {
                items.Add(new PromptItem.Words(text[start..i]));
            }

            items.Add(new PromptItem.Special(settings.Added[name]));
            start = i += name.Length;
        }

        if (start < text.Length)
        {
            items.Add(new PromptItem.Words(text[start..]));
        }

        return items;
    }

    private static string? LongestAt(string text, int at, TokenizerSettings settings) =>
        settings.Added.Keys.Where(name => string.CompareOrdinal(text, at, name, 0, name.Length) == 0).MaxBy(name => name.Length);
}

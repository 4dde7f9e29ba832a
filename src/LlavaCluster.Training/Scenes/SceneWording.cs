namespace LlavaCluster.Training.Scenes;

/// <summary>The English of captions and answers: numbers, lists, sentences.</summary>
internal static class SceneWording
{
    private static readonly string[] Numbers = ["no", "one", "two", "three", "four", "five"];

    /// <summary>"no" to "five"; digits beyond.</summary>
    public static string Number(int count) => count < Numbers.Length ? Numbers[count] : count.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>"a dog", "two dogs".</summary>
    public static string Counted(SceneClass item, int count) => count == 1 ? item.Indefinite : $"{Number(count)} {item.Plural}";

    /// <summary>"a", "a and b", "a, b and c"; "nothing" for none.</summary>
    public static string List(IReadOnlyList<string> phrases) => phrases.Count switch
    {
        0 => "nothing",
        1 => phrases[0],
        _ => string.Join(", ", phrases.Take(phrases.Count - 1)) + " and " + phrases[^1],
    };

    /// <summary>One of the frames, its blanks filled in.</summary>
    public static string Fill(SceneRandom random, string[] frames, params ReadOnlySpan<object> values) =>
        string.Format(null, random.Pick(frames), values);

    /// <summary>With a capital first letter.</summary>
    public static string Sentence(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}

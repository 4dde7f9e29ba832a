using System.Globalization;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Reads classes and numbers out of free text: lower-case words, with punctuation as boundaries. Longest names win, so
/// "light bulb" is one mention and "four leaf clover" is no leaf.
/// </summary>
internal sealed class SceneText
{
    private const string Boundary = ".";
    private const int LookBack = 2; // a number may stand before one adjective: "two red apples"

    private static readonly Dictionary<string, int> Numbers = new()
    {
        ["no"] = 0, ["zero"] = 0, ["none"] = 0, ["one"] = 1, ["single"] = 1, ["two"] = 2, ["both"] = 2, ["three"] = 3, ["four"] = 4,
        ["five"] = 5, ["six"] = 6, ["seven"] = 7, ["eight"] = 8, ["nine"] = 9, ["ten"] = 10,
    };

    private static readonly HashSet<string> Indefinite = ["a", "an", "another"];
    private static readonly HashSet<string> Links = ["and", "or", "with", "of", "to", "is", "are", Boundary];
    private readonly List<string> _words = [];

    public SceneText(SceneNames names, string text)
    {
        foreach (var word in Split(text))
        {
            _words.Add(word);
        }

        Mentions = [.. FindMentions(names)];
    }

    /// <summary>Words in order; a "." stands for any punctuation between them.</summary>
    public IReadOnlyList<string> Words => _words;

    /// <summary>Every place where a class is named.</summary>
    public IReadOnlyList<Mention> Mentions { get; }

    /// <summary>Classes named, without those that the text says are not there.</summary>
    public IReadOnlySet<string> Categories => Mentions.Where(mention => mention.Number != 0).Select(mention => mention.Category).ToHashSet();

    public bool HasAny(params ReadOnlySpan<string> words)
    {
        foreach (var word in words)
        {
            if (_words.Contains(word))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>All different numbers in the text; "no" counts as none, articles do not count.</summary>
    public IReadOnlySet<int> DistinctNumbers() => _words.Select(NumberOf).OfType<int>().ToHashSet();

    /// <summary>
    /// How many of each class the text speaks of: the largest number given to it, or as many as it is introduced one by one
    /// ("a dog on the left and a dog on the right"). "The dog" introduces nothing; "the dogs" are at least two.
    /// </summary>
    public Dictionary<string, int> Counts()
    {
        var counts = new Dictionary<string, int>();
        foreach (var group in Mentions.GroupBy(mention => mention.Category))
        {
            var largest = group.Max(mention => mention.Number ?? (mention.Plural ? 2 : 1));
            var introduced = group.Count(mention => mention.Introduces);
            var ones = group.Count(mention => mention.Number == 1 && !mention.Introduces);
            var count = Math.Max(largest, Math.Max(introduced, ones));
            if (count > 0)
            {
                counts[group.Key] = count;
            }
        }

        return counts;
    }

    private IEnumerable<Mention> FindMentions(SceneNames names)
    {
        for (var start = 0; start < _words.Count; start++)
        {
            if (names.Match(_words, start) is not { } match)
            {
                continue;
            }

            var (number, introduces) = Quantity(start);
            yield return new Mention(match.Category, match.Plural, number, introduces);
            start += match.Length - 1;
        }
    }

    private (int? Number, bool Introduces) Quantity(int start)
    {
        for (var index = start - 1; index >= Math.Max(0, start - LookBack) && !Links.Contains(_words[index]); index--)
        {
            if (Indefinite.Contains(_words[index]))
            {
                return (1, true);
            }

            if (NumberOf(_words[index]) is { } number)
            {
                return (number, false);
            }
        }

        return (null, false);
    }

    private static int? NumberOf(string word) =>
        Numbers.TryGetValue(word, out var number) || int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out number) ? number : null;

    private static IEnumerable<string> Split(string text)
    {
        var start = -1;
        for (var index = 0; index <= text.Length; index++)
        {
            var inside = index < text.Length && (char.IsLetterOrDigit(text[index]) || text[index] == '\'');
            if (inside)
            {
                start = start < 0 ? index : start;
                continue;
            }

            if (start >= 0)
            {
                yield return text[start..index].ToLowerInvariant();
                start = -1;
            }

            // A hyphen joins ("four-leaf clover"); every other mark is a boundary.
            if (index < text.Length && !char.IsWhiteSpace(text[index]) && text[index] != '-')
            {
                yield return Boundary;
            }
        }
    }

    /// <param name="Category">The class's name.</param>
    /// <param name="Plural">Named in the plural.</param>
    /// <param name="Number">The number or article before it; 0 for "no dog"; null when there is none.</param>
    /// <param name="Introduces">The number was an article.</param>
    internal readonly record struct Mention(string Category, bool Plural, int? Number, bool Introduces);
}

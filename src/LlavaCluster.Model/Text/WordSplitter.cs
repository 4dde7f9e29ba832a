using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LlavaCluster.Model.Text;

/// <summary>
/// Cuts text into the words that byte-pair merging does not cross, by regular expressions applied one after the other; what lies between matches is a word too
/// (the <c>Split</c> pre-tokeniser with behaviour <c>Isolated</c>).
/// </summary>
/// <remarks>
/// .NET matches UTF-16 units, where a letter outside the basic plane is no letter. The expressions therefore see one stand-in of the same Unicode category for each such character.
/// </remarks>
internal sealed class WordSplitter(IReadOnlyList<Regex> patterns)
{
    private static readonly Dictionary<UnicodeCategory, char> StandIns = new()
    {
        [UnicodeCategory.UppercaseLetter] = '\u00C0',
        [UnicodeCategory.LowercaseLetter] = '\u00E0',
        [UnicodeCategory.TitlecaseLetter] = '\u01C5',
        [UnicodeCategory.ModifierLetter] = '\u02B0',
        [UnicodeCategory.OtherLetter] = '\u4E00',
        [UnicodeCategory.NonSpacingMark] = '\u0300',
        [UnicodeCategory.SpacingCombiningMark] = '\u0903',
        [UnicodeCategory.DecimalDigitNumber] = '\u0661',
        [UnicodeCategory.LetterNumber] = '\u2160',
        [UnicodeCategory.OtherNumber] = '\u00B2',
    };

    private const char OtherStandIn = '\u00A9';

    /// <summary>Start and length of each word, in order and without gaps.</summary>
    public List<(int Start, int Length)> Split(string text)
    {
        var (seen, starts) = Represent(text);
        var words = new List<(int Start, int Length)> { (0, seen.Length) };
        foreach (var pattern in patterns)
        {
            words = [.. words.SelectMany(word => Split(seen, word, pattern))];
        }

        return [.. words.Where(word => word.Length > 0).Select(word => (starts[word.Start], starts[word.Start + word.Length] - starts[word.Start]))];
    }

    private static IEnumerable<(int Start, int Length)> Split(string text, (int Start, int Length) word, Regex pattern)
    {
        // A look-behind or look-ahead must not see past the word, so each is matched on its own.
        var own = text.Substring(word.Start, word.Length);
        var end = 0;
        foreach (var match in pattern.Matches(own).Where(match => match.Length > 0))
        {
            yield return (word.Start + end, match.Index - end);
            yield return (word.Start + match.Index, match.Length);
            end = match.Index + match.Length;
        }

        yield return (word.Start + end, own.Length - end);
    }

    // The text with one character for each code point, and where each begins in the original; the last entry is the original's length.
    private static (string Seen, int[] Starts) Represent(string text)
    {
        var seen = new StringBuilder(text.Length);
        var starts = new List<int>(text.Length + 1);
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            starts.Add(at);
            _ = seen.Append(rune.IsBmp ? (char)rune.Value : StandIns.GetValueOrDefault(Rune.GetUnicodeCategory(rune), OtherStandIn));
            at += rune.Utf16SequenceLength;
        }

        starts.Add(at);
        return (seen.ToString(), [.. starts]);
    }
}

using System.Text.RegularExpressions;
using CsCheck;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Tests.Constraints;

public sealed class RegexConstraintTests
{
    private static readonly TokenVocabulary Vocabulary = Vocabularies.Of(["a", "b", "ab", "ba", "aa", "12", "3", "\u2581a", "\u2581", "xyz", "-", "\n", "\u00e9", "\u732b\u732b"]);

    [Theory]
    [InlineData("a")]
    [InlineData("(a|b)*ab?")]
    [InlineData("[a-c]{2,4}x+")]
    [InlineData(@"\d{3}-\d{4}")]
    [InlineData(@"\w+\s\W\S\D")]
    [InlineData(@"[^a-z\d]{1,3}")]
    [InlineData(@"(?:ab|a)(?:bc|c)??")]
    [InlineData(@"[]\-a]+[b\]-]{3}")]
    [InlineData(@"\x41\u0042\.\*\{\}\/}")]
    [InlineData("^(yes|no|猫{2}|é+)$")]
    [InlineData(".{0,5}")]
    [InlineData("^a|b$|")]
    [InlineData(@"[\s\S]{3}")]
    [InlineData("(((a?){3}b?){2}c?){2}z")]
    public void Draw_ForAPattern_MatchesItFromEndToEnd(string pattern)
    {
        var compiled = Vocabularies.Compile(new ConstraintSpec.Pattern(pattern), Vocabulary);
        var oracle = Oracle(pattern);
        for (var seed = 0; seed < 30; seed++)
        {
            var text = RandomWalk.Draw(compiled, Vocabulary, seed);
            Assert.True(oracle.IsMatch(OneUnitEach(text)), $"'{text}' does not match {pattern}");
        }
    }

    [Theory]
    [InlineData(@"\s", "\t\n\v\f\r \u00A0\u1680\u2000\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF", "a\u0085\u200B\u180E")]
    [InlineData(@"\S", "a\u0085\u200B", "\u00A0\u2028\uFEFF")]
    [InlineData(".", "a\t\u0085\u00A0", "\n\r\u2028\u2029")]
    [InlineData(@"\d", "09", "\u0661")]
    [InlineData(@"\w", "aZ_9", "\u00E9")]
    public void Accepts_TheSetsOfEcmaScript(string pattern, string inside, string outside)
    {
        var compiled = Vocabularies.Compile(new ConstraintSpec.Pattern(pattern), Vocabulary);
        Assert.All(inside, character => Assert.True(Vocabularies.Accepts(compiled, character.ToString()), $"U+{(int)character:X4}"));
        Assert.All(outside, character => Assert.False(Vocabularies.Accepts(compiled, character.ToString()), $"U+{(int)character:X4}"));
    }

    [Fact]
    public void Allowed_ForAnySmallPattern_IsWhatBruteForceFinds()
    {
        // All texts of these patterns have at most 6 letters, so trying every text up to 6 is exact.
        var leaf = Gen.OneOf(Gen.Char['a', 'b'].Select(letter => letter.ToString()), Gen.Const("[ab]"), Gen.Const("(?:a|bb)"), Gen.Const("(?:)"));
        var repeated = Gen.Select(leaf, Gen.OneOf(Gen.Const(""), Gen.Const("?"), Gen.Const("{0,1}"), Gen.Const("{1}")), (atom, count) => atom + count);
        var pattern = Gen.Select(repeated, repeated, repeated, Gen.Bool, (x, y, z, either) => either ? $"(?:{x}{y}|{z})" : $"{x}(?:{y}|{z}{y})");
        string[] words = ["a", "b", "ab", "aab", "bb", "\u2581", "\u2581a"];
        var vocabulary = Vocabularies.OfWordsAlone(words);
        string[] texts = [.. Enumerable.Range(0, 7).SelectMany(Texts)];
        pattern.Sample(
            text =>
            {
                var oracle = Oracle(text);
                string[] matches = [.. texts.Where(candidate => oracle.IsMatch(candidate))];
                Compare(Vocabularies.Compile(new ConstraintSpec.Pattern(text), vocabulary), vocabulary, [], "", matches);
            },
            iter: 200);
    }

    [Theory]
    [InlineData("a**", "a repetition cannot be repeated; group it, at position 2")]
    [InlineData("(a", "'(' is not closed, at position 0")]
    [InlineData("a)", "unexpected ')', at position 1")]
    [InlineData("[a", "'[' is not closed, at position 0")]
    [InlineData("[]", "'[' is not closed, at position 0")]
    [InlineData("x{2,1}", "{m,n} must have m <= n; was {2,1}, at position 1")]
    [InlineData("x{5000}", "a repetition must be <= 4096; was 5000, at position 1")]
    [InlineData("x{a}", "'{' begins no {m}, {m,} or {m,n} (write \\{ for the character), at position 1")]
    [InlineData("*", "'*' repeats nothing (write \\* for the character), at position 0")]
    [InlineData("(?=a)", "only (?: is supported of the groups that begin with (?, at position 0")]
    [InlineData("a\\", "'\\' escapes nothing, at position 1")]
    [InlineData("ab\\1", "'\\1' is not supported, at position 2")]
    [InlineData("\\bx", "'\\b' is not supported, at position 0")]
    [InlineData("\\p{L}", "'\\p' is not supported, at position 0")]
    [InlineData("[[:alpha:]]", "POSIX classes are not supported, at position 1")]
    [InlineData("[z-a]", "a range must go from a character to a later one, at position 1")]
    [InlineData("\\uD83D", "4 hexadecimal digits of a character (no surrogate) must follow, at position 0")]
    [InlineData("a$b", "unexpected 'b', at position 2")]
    [InlineData("a(^b)", "unexpected '^', at position 2")]
    public void Compile_ForWhatIsNotSupported_NamesItAndItsPosition(string pattern, string reason) =>
        Assert.Equal($"regex: {reason}", Vocabularies.Refusal(new ConstraintSpec.Pattern(pattern)));

    [Fact]
    public void Compile_ForAnExplodingPattern_IsRefused()
    {
        Assert.Equal(
            "regex: written out it must have at most 200000 nodes; it has more",
            Vocabularies.Refusal(new ConstraintSpec.Pattern("(((a{1000}){1000}){1000}){1000}")));
        Assert.Equal("regex: a pattern must have at most 4096 characters; was 4097", Vocabularies.Refusal(new ConstraintSpec.Pattern(new string('a', 4097))));
        Assert.Equal("regex: groups nest deeper than 64, at position 65", Vocabularies.Refusal(new ConstraintSpec.Pattern(new string('(', 65) + new string(')', 65))));
    }

    [Fact]
    public void Advance_WhenTooManyReadingsAreOpen_FailsWithAClearError()
    {
        var constraint = Vocabularies.Compile(new ConstraintSpec.Pattern("(?:.{0,400}){40}x"), Vocabulary).Begin();
        var fault = Assert.Throws<ConstraintLimitException>(() => Enumerable.Range(0, 400).All(_ => constraint.Advance(Vocabularies.FirstByte + 'a')));
        Assert.Equal("The constraint is too ambiguous: at most 4096 readings of a text may be open.", fault.Message);
    }

    private static void Compare(CompiledConstraint compiled, TokenVocabulary vocabulary, int[] ids, string text, string[] matches)
    {
        var constraint = compiled.Begin();
        Assert.All(ids, id => Assert.True(constraint.Advance(id)));
        var allowed = Vocabularies.AllowedIds(constraint, vocabulary);
        Assert.Equal(matches.Contains(text), allowed.Contains(Vocabularies.End));
        for (var id = Vocabularies.End + 1; id < vocabulary.Size; id++)
        {
            var next = text + System.Text.Encoding.UTF8.GetString(vocabulary.BytesOf(id, ids.Length == 0));
            var isLegal = matches.Any(match => match.StartsWith(next, StringComparison.Ordinal));
            Assert.Equal(isLegal, allowed.Contains(id));
            if (isLegal)
            {
                Compare(compiled, vocabulary, [.. ids, id], next, matches);
            }
        }
    }

    private static IEnumerable<string> Texts(int length) =>
        Enumerable.Range(0, 1 << length).Select(bits => string.Concat(Enumerable.Range(0, length).Select(at => (bits >> at & 1) == 0 ? 'a' : 'b')));

    // .NET counts UTF-16 units, patterns count characters; none here tells characters above U+FFFF from a private one.
    private static string OneUnitEach(string text) => string.Concat(text.EnumerateRunes().Select(rune => rune.IsBmp ? (char)rune.Value : '\uE000'));

    // .NET's ECMAScript option has our \d and \w, an ASCII \s, and a dot that takes all but \n.
    private static Regex Oracle(string pattern) => new($"^(?:{Spelled(pattern)})(?!\\n)$", RegexOptions.ECMAScript);

    private static string Spelled(string pattern)
    {
        const string spaces = @"\t-\r \u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF";
        return pattern.Replace("[]", "[\\]", StringComparison.Ordinal)
            .Replace(@"[\s\S]", @"[\0-\uFFFF]", StringComparison.Ordinal)
            .Replace(@"\s", $"[{spaces}]", StringComparison.Ordinal)
            .Replace(@"\S", $"[^{spaces}]", StringComparison.Ordinal)
            .Replace(".{", @"[^\n\r\u2028\u2029]{", StringComparison.Ordinal);
    }
}

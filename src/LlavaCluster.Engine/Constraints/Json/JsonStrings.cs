using System.Globalization;
using System.Text;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>
/// How characters stand in JSON strings. Where the text is given (names, enum values) or a pattern rules it, each character has one
/// spelling: itself, or its shortest escape if it needs one.
/// </summary>
internal static class JsonStrings
{
    private const string NamedEscapes = "\"\"\\\\\bb\ff\nn\rr\tt";

    private static readonly CodePointSet MustEscape = CodePointSet.Of((0, 0x1F), ('"', '"'), ('\\', '\\'));

    /// <summary>Characters that stand for themselves.</summary>
    public static CodePointSet Plain { get; } = MustEscape.Complement();

    /// <summary>The whole string with its quotes.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            quoted.Append(Spell(rune.Value));
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>Any one character of a set, in its one spelling, as bytes.</summary>
    public static GrammarNode Encode(CodePointSet set)
    {
        var branches = new List<GrammarNode> { Utf8.Encode(set.Intersect(Plain)) };
        foreach (var (low, high) in set.Intersect(MustEscape).Ranges)
        {
            for (var character = low; character <= high; character++)
            {
                branches.Add(GrammarNode.Text(Spell(character)));
            }
        }

        return GrammarNode.AnyOf(branches);
    }

    /// <summary>Any one character in any spelling that JSON allows; a pair of surrogate escapes is one character, a lone one none.</summary>
    public static GrammarNode AnyCharacter()
    {
        var hex = AnyByte("09", "AF", "af");
        var escape = GrammarNode.Join(GrammarNode.Text("\\"), AnyByte("\"\"", "\\\\", "//", "bb", "ff", "nn", "rr", "tt"));
        var low = GrammarNode.Join(AnyByte("09", "AC", "ac", "EF", "ef"), hex, hex, hex);
        var underD800 = GrammarNode.Join(AnyByte("DD", "dd"), AnyByte("07"), hex, hex);
        var pair = GrammarNode.Join(
            GrammarNode.Text("\\u"), AnyByte("DD", "dd"), AnyByte("89", "AB", "ab"), hex, hex,
            GrammarNode.Text("\\u"), AnyByte("DD", "dd"), AnyByte("CF", "cf"), hex, hex);
        return GrammarNode.AnyOf(Utf8.Encode(Plain), escape, GrammarNode.Join(GrammarNode.Text("\\u"), GrammarNode.AnyOf(low, underD800)), pair);
    }

    // Each text holds the first and the last character of a range.
    private static GrammarNode AnyByte(params IEnumerable<string> ranges) =>
        GrammarNode.AnyOf(ranges.Select(range => new GrammarNode.Bytes((byte)range[0], (byte)range[1])));

    private static string Spell(int codePoint)
    {
        for (var index = 0; index < NamedEscapes.Length; index += 2)
        {
            if (NamedEscapes[index] == codePoint)
            {
                return "\\" + NamedEscapes[index + 1];
            }
        }

        return codePoint < 0x20 ? "\\u" + codePoint.ToString("x4", CultureInfo.InvariantCulture) : char.ConvertFromUtf32(codePoint);
    }
}

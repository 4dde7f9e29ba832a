using LlavaCluster.Engine.Constraints.Automata;
using LlavaCluster.Engine.Constraints.Regex;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>
/// The parts that every JSON text is made of. Whitespace: none, except that one space may follow a comma or a colon, so texts are
/// compact or as Python's json.dumps writes them. Numbers have at most 18 digits before the point, 17 behind it, and two in the exponent.
/// </summary>
internal sealed class JsonGrammar(Grammar grammar)
{
    /// <summary>Digits of the largest integer: every one fits 64 bits.</summary>
    public const int MaxDigits = 18;

    private const int MaxFractionDigits = 17;

    public Grammar Grammar => grammar;

    public GrammarNode Comma => grammar.Shared("comma", () => GrammarNode.Join(GrammarNode.Text(","), GrammarNode.Optional(GrammarNode.Text(" "))));

    public GrammarNode Colon => grammar.Shared("colon", () => GrammarNode.Join(GrammarNode.Text(":"), GrammarNode.Optional(GrammarNode.Text(" "))));

    public GrammarNode Null => GrammarNode.Text("null");

    public GrammarNode Boolean => GrammarNode.AnyOf(GrammarNode.Text("true"), GrammarNode.Text("false"));

    /// <summary>One character of a string's content.</summary>
    public GrammarNode Character => grammar.Shared("character", JsonStrings.AnyCharacter);

    public GrammarNode String => grammar.Shared("string", () => Quoted(GrammarNode.Many(Character)));

    public GrammarNode Integer => grammar.Shared("integer", () => IntegerRange.Build(null, null));

    public GrammarNode Number => grammar.Shared("number", BuildNumber);

    /// <summary>Any value whatever.</summary>
    public GrammarNode Value
    {
        get
        {
            return grammar.Shared("value", () => GrammarNode.AnyOf(AnyObject, AnyArray, String, Number, Boolean, Null));
        }
    }

    public GrammarNode AnyObject => grammar.Shared("object", () => Braces(List(Pair(String, Value), 0, null)));

    public GrammarNode AnyArray => grammar.Shared("array", () => Brackets(List(Value, 0, null)));

    public GrammarNode Quoted(GrammarNode content) => GrammarNode.Join(GrammarNode.Text("\""), content, GrammarNode.Text("\""));

    public GrammarNode Braces(GrammarNode content) => GrammarNode.Join(GrammarNode.Text("{"), content, GrammarNode.Text("}"));

    public GrammarNode Brackets(GrammarNode content) => GrammarNode.Join(GrammarNode.Text("["), content, GrammarNode.Text("]"));

    public GrammarNode Pair(GrammarNode name, GrammarNode value) => GrammarNode.Join(name, Colon, value);

    /// <summary>Min to max items with commas between them.</summary>
    public GrammarNode List(GrammarNode item, int min, int? max)
    {
        if (max == 0)
        {
            return GrammarNode.Empty;
        }

        var rest = new GrammarNode.Repeat(GrammarNode.Join(Comma, item), Math.Max(0, min - 1), max - 1);
        var list = GrammarNode.Join(item, rest);
        return min == 0 ? GrammarNode.Optional(list) : list;
    }

    /// <summary>A string whose content matches a pattern somewhere (ECMA-262 search, as JSON Schema says).</summary>
    public GrammarNode Matching(string pattern)
    {
        var any = GrammarNode.Many(grammar.Shared("any spelled character", () => JsonStrings.Encode(CodePointSet.All)));
        return Quoted(GrammarNode.AnyOf(RegexParser.Parse(pattern, EncodeShared)
            .Select(branch => GrammarNode.Join(branch.FromStart ? GrammarNode.Empty : any, branch.Body, branch.ToEnd ? GrammarNode.Empty : any))));
    }

    private GrammarNode EncodeShared(CodePointSet set) => grammar.Shared("json " + set.Key, () => JsonStrings.Encode(set));

    private static GrammarNode BuildNumber()
    {
        var digit = new GrammarNode.Bytes((byte)'0', (byte)'9');
        var whole = GrammarNode.AnyOf(
            GrammarNode.Text("0"),
            GrammarNode.Join(new GrammarNode.Bytes((byte)'1', (byte)'9'), new GrammarNode.Repeat(digit, 0, MaxDigits - 1)));
        var fraction = GrammarNode.Join(GrammarNode.Text("."), new GrammarNode.Repeat(digit, 1, MaxFractionDigits));
        var sign = GrammarNode.AnyOf(GrammarNode.Text("+"), GrammarNode.Text("-"));
        var exponent = GrammarNode.Join(
            GrammarNode.AnyOf(GrammarNode.Text("e"), GrammarNode.Text("E")), GrammarNode.Optional(sign), new GrammarNode.Repeat(digit, 1, 2));
        return GrammarNode.Join(GrammarNode.Optional(GrammarNode.Text("-")), whole, GrammarNode.Optional(fraction), GrammarNode.Optional(exponent));
    }
}

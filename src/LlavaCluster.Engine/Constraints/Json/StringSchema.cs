using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>Strings by length, pattern or format.</summary>
internal static class StringSchema
{
    private const string Date = "[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";

    private const string Time = @"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])";

    // Subsets of RFC 3339 and RFC 9562 that every parser takes: years from 1000 to 2999, no 29 February, no leap seconds, offsets below 14 hours.
    private static readonly Dictionary<string, string> Formats = new()
    {
        ["date"] = $"^{Date}$",
        ["time"] = $"^{Time}$",
        ["date-time"] = $"^{Date}T{Time}$",
        ["uuid"] = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    };

    public static GrammarNode Compile(JsonGrammar json, SchemaView schema)
    {
        var (min, max) = (schema.Count("minLength"), schema.Count("maxLength"));
        if (min > max)
        {
            throw schema.Refused($"minLength must be <= maxLength; was {min} and {max}");
        }

        if ((schema.Has("pattern") ? 1 : 0) + (schema.Has("format") ? 1 : 0) + (min is null && max is null ? 0 : 1) > 1)
        {
            throw schema.Refused("pattern, format and a length are supported only one at a time");
        }

        if (schema.Find("format") is { } format)
        {
            return json.Matching(Formats.GetValueOrDefault(format.Text()) ?? throw format.Refused($"must be one of {string.Join(", ", Formats.Keys)}; was '{format.Text()}'"));
        }

        return schema.Find("pattern") is { } pattern ? Pattern(json, pattern)
            : min is null && max is null ? json.String
            : json.Quoted(new GrammarNode.Repeat(json.Character, min ?? 0, max));
    }

    private static GrammarNode Pattern(JsonGrammar json, SchemaView pattern)
    {
        try
        {
            return json.Matching(pattern.Text());
        }
        catch (ConstraintSyntaxException fault)
        {
            throw pattern.Refused(fault.Message);
        }
    }
}

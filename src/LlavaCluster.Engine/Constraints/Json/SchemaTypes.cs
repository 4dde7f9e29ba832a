using System.Text.Json;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>Which kinds of JSON value a schema is about: its type keyword, or what its other keywords suggest.</summary>
internal static class SchemaTypes
{
    public static readonly string[] All = ["object", "array", "string", "number", "boolean", "null"];

    private static readonly (string Type, string[] Keywords)[] Suggestions =
    [
        ("object", ["properties", "required", "additionalProperties"]),
        ("array", ["items", "minItems", "maxItems"]),
        ("string", ["minLength", "maxLength", "pattern", "format"]),
        ("integer", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    ];

    /// <summary>Types in the order given. Without a type keyword: the one that the other keywords are about, or all.</summary>
    public static IReadOnlyList<string> Of(SchemaView schema)
    {
        if (schema.Find("type") is not { } type)
        {
            string[] suggested = [.. Suggestions.Where(entry => entry.Keywords.Any(schema.Has)).Select(entry => entry.Type)];
            return suggested.Length == 0 ? All : suggested;
        }

        var views = type.Element.ValueKind == JsonValueKind.Array ? type.Items(All.Length + 1) : [type];
        return [.. views.Select(Name).Distinct()];
    }

    /// <summary>Whether a value is of one of the types.</summary>
    public static bool Match(IReadOnlyList<string> types, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => types.Contains("object"),
        JsonValueKind.Array => types.Contains("array"),
        JsonValueKind.String => types.Contains("string"),
        JsonValueKind.Number => types.Contains("number") || (types.Contains("integer") && value.TryGetDecimal(out var number) && decimal.IsInteger(number)),
        JsonValueKind.Null => types.Contains("null"),
        _ => types.Contains("boolean"),
    };

    private static string Name(SchemaView view)
    {
        var name = view.Text();
        return name == "integer" || All.Contains(name)
            ? name
            : throw view.Refused($"must be one of {string.Join(", ", All)}, integer; was '{name}'");
    }
}

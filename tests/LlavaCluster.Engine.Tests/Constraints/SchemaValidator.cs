using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlavaCluster.Engine.Tests.Constraints;

/// <summary>Says whether a JSON value satisfies a schema, for the keywords the tests use. Written from the specification, apart from the compiler.</summary>
internal static class SchemaValidator
{
    public static bool IsValid(JsonElement schema, JsonElement value, JsonElement root)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return schema.GetBoolean();
        }

        return schema.EnumerateObject().All(keyword => Holds(keyword, schema, value, root));
    }

    private static bool Holds(JsonProperty keyword, JsonElement schema, JsonElement value, JsonElement root)
    {
        var argument = keyword.Value;
        return keyword.Name switch
        {
            "$ref" => IsValid(Resolve(argument.GetString()!, root), value, root),
            "type" => argument.ValueKind == JsonValueKind.Array ? argument.EnumerateArray().Any(type => HasType(type, value)) : HasType(argument, value),
            "const" => JsonElement.DeepEquals(argument, value),
            "enum" => argument.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)),
            "anyOf" => argument.EnumerateArray().Any(branch => IsValid(branch, value, root)),
            "oneOf" => argument.EnumerateArray().Count(branch => IsValid(branch, value, root)) == 1,
            "allOf" => argument.EnumerateArray().All(branch => IsValid(branch, value, root)),
            "properties" => value.ValueKind != JsonValueKind.Object || argument.EnumerateObject().All(member => !value.TryGetProperty(member.Name, out var found) || IsValid(member.Value, found, root)),
            "required" => value.ValueKind != JsonValueKind.Object || argument.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
            "additionalProperties" => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().All(member => IsDeclared(schema, member.Name) || IsValid(argument, member.Value, root)),
            "items" => value.ValueKind != JsonValueKind.Array || value.EnumerateArray().All(item => IsValid(argument, item, root)),
            "minItems" => value.ValueKind != JsonValueKind.Array || value.GetArrayLength() >= argument.GetInt32(),
            "maxItems" => value.ValueKind != JsonValueKind.Array || value.GetArrayLength() <= argument.GetInt32(),
            "minLength" => value.ValueKind != JsonValueKind.String || value.GetString()!.EnumerateRunes().Count() >= argument.GetInt32(),
            "maxLength" => value.ValueKind != JsonValueKind.String || value.GetString()!.EnumerateRunes().Count() <= argument.GetInt32(),
            "pattern" => value.ValueKind != JsonValueKind.String || Regex.IsMatch(value.GetString()!, argument.GetString()!, RegexOptions.ECMAScript),
            "format" => value.ValueKind != JsonValueKind.String || HasFormat(argument.GetString()!, value.GetString()!),
            "minimum" => value.ValueKind != JsonValueKind.Number || value.GetDecimal() >= argument.GetDecimal(),
            "maximum" => value.ValueKind != JsonValueKind.Number || value.GetDecimal() <= argument.GetDecimal(),
            "exclusiveMinimum" => value.ValueKind != JsonValueKind.Number || value.GetDecimal() > argument.GetDecimal(),
            "exclusiveMaximum" => value.ValueKind != JsonValueKind.Number || value.GetDecimal() < argument.GetDecimal(),
            "$defs" or "title" or "description" => true,
            _ => throw new ArgumentOutOfRangeException(nameof(keyword), keyword.Name, "The test validator does not know this keyword."),
        };
    }

    private static bool IsDeclared(JsonElement schema, string name) => schema.TryGetProperty("properties", out var properties) && properties.TryGetProperty(name, out _);

    private static bool HasType(JsonElement type, JsonElement value) => type.GetString() switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && decimal.IsInteger(value.GetDecimal()),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        var name => string.Equals(name, value.ValueKind.ToString(), StringComparison.OrdinalIgnoreCase),
    };

    private static bool HasFormat(string format, string text) => format switch
    {
        "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", out _),
        "uuid" => Guid.TryParseExact(text, "D", out _),
        "date-time" => DateTimeOffset.TryParse(text, out _),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "The test validator does not know this format."),
    };

    private static JsonElement Resolve(string pointer, JsonElement root) =>
        pointer.Split('/').Skip(1).Aggregate(root, (element, name) => element.GetProperty(name));
}

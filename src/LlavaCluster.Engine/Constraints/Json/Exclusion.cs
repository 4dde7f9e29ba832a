using System.Text.Json;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>
/// Shows that no value satisfies two branches of a oneOf, so that it can be read as an anyOf. Three reasons count: the branches are about
/// different types, they list different values, or both require a property whose values they list and which differ.
/// </summary>
internal sealed class Exclusion(SchemaDocument document)
{
    private const int MaxReferences = 16;

    // What it costs to look a property up in two branches, in comparisons of values.
    private const int LookUp = 50;

    private int _comparisons;

    /// <exception cref="ConstraintSyntaxException">Two branches might both be satisfied.</exception>
    public void Check(SchemaView oneOf)
    {
        SchemaView[] branches = [.. oneOf.Items(ConstraintLimits.MaxBranches).Select(Follow)];
        for (var first = 0; first < branches.Length; first++)
        {
            for (var second = first + 1; second < branches.Length; second++)
            {
                if (_comparisons > ConstraintLimits.MaxComparisons)
                {
                    throw oneOf.Refused($"must take at most {ConstraintLimits.MaxComparisons} comparisons of values to tell its branches apart; takes more");
                }

                if (!Exclude(branches[first], branches[second]))
                {
                    throw oneOf.Refused($"branches {first} and {second} might both be satisfied; use anyOf, or a required property with different const values");
                }
            }
        }
    }

    private bool Exclude(SchemaView first, SchemaView second)
    {
        if (first.Element.ValueKind != JsonValueKind.Object || second.Element.ValueKind != JsonValueKind.Object)
        {
            return first.Element.ValueKind == JsonValueKind.False || second.Element.ValueKind == JsonValueKind.False;
        }

        if (Differ(Values(first), Values(second)))
        {
            return true;
        }

        string[] shared = [.. Types(first).Intersect(Types(second))];
        return shared.Length == 0 || (shared is ["object"] && HasDiscriminator(first, second));
    }

    private bool HasDiscriminator(SchemaView first, SchemaView second) =>
        Required(first).Intersect(Required(second)).Any(name => Differ(PropertyValues(first, name), PropertyValues(second, name)));

    private JsonElement[]? PropertyValues(SchemaView schema, string name)
    {
        _comparisons += LookUp;
        return schema.Find("properties") is { Element.ValueKind: JsonValueKind.Object } properties && properties.Find(name) is { } property ? Values(Follow(property)) : null;
    }

    private static IEnumerable<string> Required(SchemaView schema) =>
        schema.Find("required") is { Element.ValueKind: JsonValueKind.Array } list
            ? list.Element.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)
            : [];

    private static JsonElement[]? Values(SchemaView schema) =>
        schema.Element.ValueKind != JsonValueKind.Object ? null
        : schema.Find("const") is { } only ? [only.Element]
        : schema.Find("enum") is { Element.ValueKind: JsonValueKind.Array } list ? [.. list.Element.EnumerateArray()]
        : null;

    private bool Differ(JsonElement[]? first, JsonElement[]? second)
    {
        if (first is null || second is null)
        {
            return false;
        }

        _comparisons += first.Length * second.Length;
        return !first.Any(value => second.Any(other => JsonElement.DeepEquals(value, other)));
    }

    // A branch made of branches may be about anything.
    private static IEnumerable<string> Types(SchemaView schema)
    {
        if (Values(schema) is { } values)
        {
            return SchemaTypes.All.Where(type => values.Any(value => SchemaTypes.Match([type], value)));
        }

        return schema.Has("anyOf") || schema.Has("oneOf") || schema.Has("allOf") || schema.Has("$ref")
            ? SchemaTypes.All
            : SchemaTypes.Of(schema).Select(type => type == "integer" ? "number" : type);
    }

    private SchemaView Follow(SchemaView schema)
    {
        for (var step = 0; step < MaxReferences && schema.Element.ValueKind == JsonValueKind.Object && schema.Find("$ref") is { } reference; step++)
        {
            schema = document.Resolve(reference);
        }

        return schema;
    }
}

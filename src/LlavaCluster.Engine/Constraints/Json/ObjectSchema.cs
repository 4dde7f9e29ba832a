using System.Text.Json;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>Objects: declared properties in the order of the schema, optional ones skipped or not, then additional ones.</summary>
internal sealed class ObjectSchema(JsonGrammar json, Func<SchemaView, GrammarNode> compile)
{
    private sealed record Property(GrammarNode Pair, bool IsRequired);

    public GrammarNode Compile(SchemaView schema)
    {
        var declared = schema.Find("properties") is { } members ? members.Members(ConstraintLimits.MaxProperties).ToList() : [];
        var required = Required(schema);
        var additional = Additional(schema, declared.Count > 0);
        if (declared.Count == 0 && required.Count == 0)
        {
            return additional is null ? GrammarNode.Text("{}") : json.Braces(json.List(json.Pair(json.String, additional), 0, null));
        }

        var properties = declared.Select(member => new Property(Pair(schema, member.Name, compile(member.Schema)), required.Remove(member.Name))).ToList();
        properties.AddRange(required.Select(name => new Property(Pair(schema, name, Undeclared(schema, name, additional)), true)));
        var names = declared.Select(member => member.Name).Concat(required);
        var other = additional is null ? null : json.Grammar.Indirect(json.Pair(OtherNames.Build(json, names), additional));
        return json.Braces(InOrder(properties, other));
    }

    private static List<string> Required(SchemaView schema)
    {
        if (schema.Find("required") is not { } view)
        {
            return [];
        }

        view.Expect(JsonValueKind.Array, "an array");
        return view.Element.GetArrayLength() == 0 ? [] : [.. view.Items(ConstraintLimits.MaxProperties).Select(item => item.Text()).Distinct()];
    }

    // Null: none are written. An absent keyword allows any, but an object that declares properties is complete without others.
    private GrammarNode? Additional(SchemaView schema, bool hasProperties)
    {
        if (schema.Find("additionalProperties") is not { } view)
        {
            return hasProperties ? null : json.Value;
        }

        return view.Element.ValueKind == JsonValueKind.False ? null : json.Grammar.Indirect(compile(view));
    }

    private GrammarNode Undeclared(SchemaView schema, string name, GrammarNode? additional)
    {
        var isClosed = schema.Find("additionalProperties") is { } view && view.Element.ValueKind == JsonValueKind.False;
        return isClosed
            ? throw schema.Refused($"required names '{name}', which is neither declared nor allowed as an additional property")
            : additional ?? json.Value;
    }

    private GrammarNode Pair(SchemaView schema, string name, GrammarNode value) => name.Length <= ConstraintLimits.MaxNameCharacters
        ? json.Grammar.Indirect(json.Pair(GrammarNode.Text(JsonStrings.Quote(name)), value))
        : throw schema.Refused($"a property's name must have at most {ConstraintLimits.MaxNameCharacters} characters; was {name.Length}");

    // One branch for each property that may come first; after it every other one brings its comma along.
    private GrammarNode InOrder(List<Property> properties, GrammarNode? other)
    {
        var rest = other is null ? GrammarNode.Empty : GrammarNode.Many(GrammarNode.Join(json.Comma, other));
        var branches = new List<GrammarNode>();
        for (var index = properties.Count - 1; index >= 0; index--)
        {
            var property = properties[index];
            if (property.IsRequired)
            {
                branches.Clear();
            }

            rest = json.Grammar.Indirect(rest);
            branches.Add(GrammarNode.Join(property.Pair, rest));
            var next = GrammarNode.Join(json.Comma, property.Pair);
            rest = GrammarNode.Join(property.IsRequired ? next : GrammarNode.Optional(next), rest);
        }

        if (!properties.Any(property => property.IsRequired))
        {
            branches.Add(other is null ? GrammarNode.Empty : json.List(other, 0, null));
        }

        return GrammarNode.AnyOf(branches);
    }
}

using System.Text.Json;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>
/// Compiles a JSON schema to a grammar of the texts that satisfy it (of a subset of them where noted: whatever is produced satisfies the
/// schema, though not every such text can be).
/// </summary>
/// <remarks>
/// Supported: <c>type</c> (also a list), <c>properties</c> (written in schema order), <c>required</c>, <c>additionalProperties</c> (absent beside
/// properties: none are written), <c>items</c>, <c>minItems</c>, <c>maxItems</c>, <c>minLength</c>, <c>maxLength</c>, <c>pattern</c>, <c>format</c>
/// (date, time, date-time, uuid), bounds of integers, <c>enum</c>, <c>const</c>, <c>anyOf</c>, <c>oneOf</c> whose branches visibly exclude each
/// other, <c>allOf</c> of one, <c>$ref</c> into the same document, recursion included, <c>true</c> and <c>false</c>. Any other keyword that is no annotation is
/// refused by name. Whitespace: see <see cref="JsonGrammar"/>.
/// </remarks>
internal sealed class JsonSchemaCompiler
{
    private readonly SchemaDocument _document;
    private readonly JsonGrammar _json;
    private readonly ObjectSchema _objects;
    private readonly Dictionary<string, GrammarNode> _references = [];
    private readonly Queue<(GrammarNode.Call Rule, SchemaView Schema)> _pending = [];

    private JsonSchemaCompiler(SchemaDocument document, JsonGrammar json)
    {
        _document = document;
        _json = json;
        _objects = new ObjectSchema(json, Compile);
    }

    /// <exception cref="ConstraintSyntaxException">It is no schema, or beyond what is supported.</exception>
    public static GrammarNode Compile(string schema, JsonGrammar json)
    {
        using var document = SchemaDocument.Parse(schema);
        var compiler = new JsonSchemaCompiler(document, json);
        var root = compiler.Compile(document.Root);
        while (compiler._pending.TryDequeue(out var next))
        {
            json.Grammar.Define(next.Rule, compiler.Compile(next.Schema));
        }

        return root;
    }

    private GrammarNode Compile(SchemaView schema)
    {
        if (schema.Element.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return schema.Element.GetBoolean() ? _json.Value : GrammarNode.Never;
        }

        schema.Expect(JsonValueKind.Object, "a schema (an object, true or false)");
        return schema.Has("$ref") ? Reference(schema)
            : schema.Has("enum") || schema.Has("const") ? Values(schema)
            : schema.Has("anyOf") ? Branches(schema, "anyOf")
            : schema.Has("oneOf") ? OneOf(schema)
            : schema.Has("allOf") ? AllOf(schema)
            : Typed(schema);
    }

    // References are compiled later, from a queue: they may be recursive, and chains of them deep.
    private GrammarNode Reference(SchemaView schema)
    {
        schema.AllowOnly("$ref");
        var target = _document.Resolve(schema.Get("$ref"));
        if (!_references.TryGetValue(target.Path, out var rule))
        {
            var declared = _json.Grammar.Declare();
            _references.Add(target.Path, rule = declared);
            _pending.Enqueue((declared, target));
        }

        return rule;
    }

    private GrammarNode Values(SchemaView schema)
    {
        schema.AllowOnly("enum", "const", "type");
        var types = schema.Has("type") ? SchemaTypes.Of(schema) : SchemaTypes.All;
        IEnumerable<JsonElement> values = schema.Find("enum") is { } list ? list.Items(ConstraintLimits.MaxEnumValues).Select(item => item.Element) : [schema.Get("const").Element];
        if (schema.Has("enum") && schema.Find("const") is { } only)
        {
            values = values.Where(value => JsonElement.DeepEquals(value, only.Element));
        }

        return GrammarNode.AnyOf([.. values.Where(value => SchemaTypes.Match(types, value)).Select(Constant)]);
    }

    private GrammarNode Constant(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => GrammarNode.Text(JsonStrings.Quote(value.GetString()!)),
        JsonValueKind.Array => _json.Brackets(Separated(value.EnumerateArray().Select(Constant))),
        JsonValueKind.Object => _json.Braces(Separated(value.EnumerateObject().Select(
            member => _json.Pair(GrammarNode.Text(JsonStrings.Quote(member.Name)), Constant(member.Value))))),
        _ => GrammarNode.Text(value.GetRawText()),
    };

    private GrammarNode Separated(IEnumerable<GrammarNode> parts) =>
        GrammarNode.Join([.. parts.SelectMany((part, index) => index == 0 ? (GrammarNode[])[part] : [_json.Comma, part])]);

    private GrammarNode Branches(SchemaView schema, string keyword)
    {
        schema.AllowOnly(keyword);
        return GrammarNode.AnyOf([.. schema.Get(keyword).Items(ConstraintLimits.MaxBranches).Select(Compile)]);
    }

    private GrammarNode OneOf(SchemaView schema)
    {
        new Exclusion(_document).Check(schema.Get("oneOf"));
        return Branches(schema, "oneOf");
    }

    private GrammarNode AllOf(SchemaView schema)
    {
        schema.AllowOnly("allOf");
        var branches = schema.Get("allOf");
        return Compile(branches.Items(1).Single());
    }

    private GrammarNode Typed(SchemaView schema)
    {
        schema.AllowOnly(
            "type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format",
            "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum");
        return GrammarNode.AnyOf([.. SchemaTypes.Of(schema).Select(type => OfType(schema, type))]);
    }

    private GrammarNode OfType(SchemaView schema, string type) => type switch
    {
        "object" => _objects.Compile(schema),
        "array" => Array(schema),
        "string" => StringSchema.Compile(_json, schema),
        "number" => NumberSchema.CompileNumber(_json, schema),
        "integer" => NumberSchema.CompileInteger(_json, schema),
        "boolean" => _json.Boolean,
        _ => _json.Null,
    };

    private GrammarNode Array(SchemaView schema)
    {
        var (min, max) = (schema.Count("minItems") ?? 0, schema.Count("maxItems"));
        if (min > max)
        {
            throw schema.Refused($"minItems must be <= maxItems; was {min} and {max}");
        }

        return schema.Find("items") is { } items ? _json.Brackets(_json.List(_json.Grammar.Indirect(Compile(items)), min, max))
            : min == 0 && max is null ? _json.AnyArray
            : _json.Brackets(_json.List(_json.Value, min, max));
    }
}

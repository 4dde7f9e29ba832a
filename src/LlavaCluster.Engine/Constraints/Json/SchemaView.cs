using System.Text.Json;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>One schema inside a schema document and where it stands, for reading keywords with errors that name the place.</summary>
internal readonly record struct SchemaView(JsonElement Element, string Path)
{
    // What the specification calls annotations: they say nothing about the value. $defs is only ever reached by reference.
    private static readonly HashSet<string> Annotations =
    [
        "title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment", "$defs", "definitions",
    ];

    public bool Has(string keyword) => Element.TryGetProperty(keyword, out _);

    public SchemaView Get(string keyword) => new(Element.GetProperty(keyword), $"{Path}/{keyword}");

    public SchemaView? Find(string keyword) => Has(keyword) ? Get(keyword) : null;

    public IEnumerable<SchemaView> Items(int max)
    {
        Expect(JsonValueKind.Array, "an array");
        var (path, count) = (Path, Element.GetArrayLength());
        return count > 0 && count <= max
            ? Element.EnumerateArray().Select((item, index) => new SchemaView(item, $"{path}/{index}"))
            : throw Refused($"must have 1 to {max} entries; had {count}");
    }

    public IEnumerable<(string Name, SchemaView Schema)> Members(int max)
    {
        Expect(JsonValueKind.Object, "an object");
        var (path, count) = (Path, Element.GetPropertyCount());
        if (count > max)
        {
            throw Refused($"must have at most {max} entries; had {count}");
        }

        return Element.EnumerateObject().Select(member => (member.Name, new SchemaView(member.Value, $"{path}/{member.Name}")));
    }

    public string Text()
    {
        Expect(JsonValueKind.String, "a string");
        return Element.GetString()!;
    }

    /// <summary>A count keyword, or null where it is absent.</summary>
    public int? Count(string keyword)
    {
        if (Find(keyword) is not { } view)
        {
            return null;
        }

        return view.Element.ValueKind == JsonValueKind.Number && view.Element.TryGetInt32(out var count) && count >= 0 && count <= ConstraintLimits.MaxRepeat
            ? count
            : throw view.Refused($"must be an integer >= 0 and <= {ConstraintLimits.MaxRepeat}; was {view.Element.GetRawText()}");
    }

    public void Expect(JsonValueKind kind, string name)
    {
        if (Element.ValueKind != kind)
        {
            throw Refused($"must be {name}; was {Element.ValueKind.ToString().ToLowerInvariant()}");
        }
    }

    /// <summary>Refuses every keyword that is neither known here nor an annotation nor an extension (x-).</summary>
    public void AllowOnly(params ReadOnlySpan<string> keywords)
    {
        foreach (var member in Element.EnumerateObject())
        {
            if (!keywords.Contains(member.Name) && !Annotations.Contains(member.Name) && !member.Name.StartsWith("x-", StringComparison.Ordinal))
            {
                throw Refused($"keyword '{member.Name}' is not supported here");
            }
        }
    }

    public ConstraintSyntaxException Refused(string reason) => new($"{Path}: {reason}");
}

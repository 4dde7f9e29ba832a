using System.Text.Json;
using LlavaCluster.Model.Config;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>The text of a schema, read and checked for everything that would trip its readers, and the places its references name.</summary>
internal sealed class SchemaDocument : IDisposable
{
    private readonly JsonDocument _document;

    private SchemaDocument(JsonDocument document) => _document = document;

    public SchemaView Root => new(_document.RootElement, "#");

    /// <exception cref="ConstraintSyntaxException">It is no JSON, too long, too deep or not well-formed Unicode.</exception>
    public static SchemaDocument Parse(string text)
    {
        if (text.Length > ConstraintLimits.MaxSchemaCharacters)
        {
            throw new ConstraintSyntaxException($"a schema must have at most {ConstraintLimits.MaxSchemaCharacters} characters; was {text.Length}");
        }

        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = ConstraintLimits.MaxSchemaDepth, AllowDuplicateProperties = false });
            JsonText.Require(document.RootElement);
            return new SchemaDocument(document);
        }
        catch (Exception fault) when (fault is JsonException or ArgumentException or InvalidOperationException)
        {
            document?.Dispose();
            throw new ConstraintSyntaxException($"a schema must be well-formed JSON without repeated names, at most {ConstraintLimits.MaxSchemaDepth} deep: {fault.Message}");
        }
    }

    /// <summary>The schema a reference names: a JSON pointer (RFC 6901) into the same document.</summary>
    public SchemaView Resolve(SchemaView reference)
    {
        var pointer = reference.Text();
        if (pointer != "#" && !pointer.StartsWith("#/", StringComparison.Ordinal))
        {
            throw reference.Refused($"must be a reference into the same schema (#/...); was '{pointer}'");
        }

        var target = _document.RootElement;
        foreach (var token in pointer.Split('/').Skip(1))
        {
            var name = Uri.UnescapeDataString(token).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            target = Child(target, name) ?? throw reference.Refused($"names nothing: '{pointer}'");
        }

        return new SchemaView(target, pointer);
    }

    public void Dispose() => _document.Dispose();

    private static JsonElement? Child(JsonElement parent, string name) => parent.ValueKind switch
    {
        JsonValueKind.Object when parent.TryGetProperty(name, out var member) => member,
        JsonValueKind.Array when int.TryParse(name, out var index) && index >= 0 && index < parent.GetArrayLength() => parent[index],
        _ => null,
    };
}

using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Http;

/// <summary>An object or value of a request's JSON with its path. A field of the wrong type is a failed check; null and absent are the same; unknown fields are never looked at.</summary>
internal readonly struct JsonField(JsonElement element, string path, FieldChecks checks)
{
    private const int MostShown = 40;

    public string Path => path.Length == 0 ? "body" : path;

    public JsonValueKind Kind => element.ValueKind;

    public bool IsObject()
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            return true;
        }

        checks.Fail(Path, $"must be an object; was {Name(element.ValueKind)}.");
        return false;
    }

    public bool Has(string name) => TryGet(name, out _);

    public bool TryGet(string name, out JsonField field)
    {
        var found = TryProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;
        field = found ? new JsonField(value, path.Length == 0 ? name : $"{path}.{name}", checks) : default;
        return found;
    }

    public string? Text(string name) => TryGet(name, out var field) ? field.AsText() : null;

    public double? Number(string name) => TryGet(name, out var field) ? field.AsNumber() : null;

    public long? Whole(string name) => TryGet(name, out var field) ? field.AsWhole() : null;

    public bool? Flag(string name)
    {
        if (!TryGet(name, out var field))
        {
            return null;
        }

        if (field.Kind is JsonValueKind.True or JsonValueKind.False)
        {
            return field.Kind == JsonValueKind.True;
        }

        field.WrongType("true or false");
        return null;
    }

    public bool TryObject(string name, out JsonField field) => TryGet(name, out field) && field.IsObject();

    /// <summary>The array's items; empty if the field is absent or wrong.</summary>
    public ImmutableArray<JsonField> Items(string name)
    {
        if (!TryGet(name, out var field))
        {
            return [];
        }

        if (field.Kind == JsonValueKind.Array)
        {
            return field.AsItems();
        }

        field.WrongType("an array");
        return [];
    }

    public ImmutableArray<JsonField> AsItems()
    {
        var items = ImmutableArray.CreateBuilder<JsonField>(element.GetArrayLength());
        foreach (var item in element.EnumerateArray())
        {
            items.Add(new JsonField(item, $"{path}[{items.Count}]", checks));
        }

        return items.DrainToImmutable();
    }

    public IEnumerable<(string Name, JsonField Value)> Properties()
    {
        foreach (var property in element.EnumerateObject())
        {
            if (WellFormed(() => property.Name) is { } name)
            {
                yield return (name, new JsonField(property.Value, $"{path}.{Excerpt.Of(name, MostShown)}", checks));
            }
        }
    }

    public string? AsText()
    {
        if (element.ValueKind != JsonValueKind.String)
        {
            WrongType("a string");
            return null;
        }

        var value = element;
        return WellFormed(value.GetString);
    }

    /// <summary>The value as it was written.</summary>
    public string? AsJson()
    {
        var value = element;
        return WellFormed(value.GetRawText);
    }

    public double? AsNumber()
    {
        if (element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out var value))
        {
            return value;
        }

        WrongType("a number");
        return null;
    }

    public long? AsWhole()
    {
        if (element.ValueKind != JsonValueKind.Number)
        {
            WrongType("a whole number");
            return null;
        }

        if (element.TryGetInt64(out var value))
        {
            return value;
        }

        // 1e3 and 5.0 are whole too; what is beyond a double's exact integers is too large for any field.
        if (element.TryGetDouble(out var number) && Math.Floor(number) == number && Math.Abs(number) < (1L << 53))
        {
            return (long)number;
        }

        checks.Fail(Path, $"must be a whole number that fits 64 bits; was {Excerpt.Of(element.GetRawText(), MostShown)}.");
        return null;
    }

    public void WrongType(string wanted) => checks.Fail(Path, $"must be {wanted}; was {Name(element.ValueKind)}.");

    public void Fail(string rule) => checks.Fail(Path, rule);

    /// <summary>Fails the field of this name.</summary>
    public void Fail(string name, string rule) => checks.Fail(path.Length == 0 ? name : $"{path}.{name}", rule);

    private bool TryProperty(string name, out JsonElement value)
    {
        value = default;
        try
        {
            return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out value);
        }
        catch (InvalidOperationException)
        {
            // Looking for a name compares it with all others, and one of those is half a surrogate pair.
            checks.Fail(Path, "must have names of well-formed Unicode.");
            return false;
        }
    }

    /// <summary>Null, and a failed check, where the text has half a surrogate pair or bytes that are not UTF-8.</summary>
    private string? WellFormed(Func<string?> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            checks.Fail(Path, "must be well-formed Unicode.");
            return null;
        }
    }

    private static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };
}

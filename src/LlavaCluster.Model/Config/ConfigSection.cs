using System.Text.Json;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Config;

/// <summary>One object of a JSON config file; values come out checked, and a wrong one is refused with its file, its path, the rule and the value.</summary>
internal readonly struct ConfigSection
{
    /// <summary>Blocks of a tower or a language model; the models read here have tens.</summary>
    public const int MostLayers = 1024;

    private const int LargestFile = 64 << 20;

    // No model is near it, and products of two sizes stay far from the ends of 64 bits.
    private const int LargestSize = 1 << 20;

    private readonly string _file;
    private readonly string _path;
    private readonly JsonElement _object;

    private ConfigSection(string file, string path, JsonElement value)
    {
        _file = file;
        _path = path;
        _object = value;
    }

    public static ConfigSection ReadFile(string file)
    {
        try
        {
            if (new FileInfo(file) is { Exists: true, Length: > LargestFile and var length })
            {
                throw new CheckpointException(file, $"must be <= {LargestFile} bytes; was {length}.");
            }

            return Parse(file, File.ReadAllBytes(file));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(file, "cannot be read: " + exception.Message, exception);
        }
    }

    /// <param name="file">Where the text was found, for messages.</param>
    /// <param name="json">In UTF-8.</param>
    public static ConfigSection Parse(string file, byte[] json)
    {
        try
        {
            // The document is not disposed: its memory then belongs to the elements taken from it.
            var root = JsonDocument.Parse(json).RootElement;
            JsonText.Require(root);
            return root.ValueKind == JsonValueKind.Object ? new ConfigSection(file, "", root) : throw new CheckpointException(file, "must hold a JSON object.");
        }
        catch (JsonException exception)
        {
            throw new CheckpointException(file, "is not valid JSON: " + exception.Message, exception);
        }
        catch (InvalidOperationException exception)
        {
            throw new CheckpointException(file, "holds text that is not Unicode: " + exception.Message, exception);
        }
    }

    /// <summary>The file, or null where there is none.</summary>
    public static ConfigSection? ReadFileIfThere(string file) => File.Exists(file) ? ReadFile(file) : null;

    /// <summary>True of <c>default</c>, which is no object of any file.</summary>
    public bool IsEmpty => _object.ValueKind == JsonValueKind.Undefined;

    /// <summary>True where the key is there and not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>True where the key is there, be it null: some defaults hold only for a key that is absent.</summary>
    public bool Knows(string key) => _object.TryGetProperty(key, out _);

    public IEnumerable<string> Keys => _object.EnumerateObject().Select(property => property.Name);

    public JsonElement? Find(string key) =>
        _object.TryGetProperty(key, out var value) && value.ValueKind is not JsonValueKind.Null and not JsonValueKind.Undefined ? value : null;

    /// <summary>The first of several names for one thing that is there.</summary>
    public string FirstOf(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
        {
            if (Has(key))
            {
                return key;
            }
        }

        return keys[0];
    }

    public ConfigSection? Section(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new ConfigSection(_file, Name(key) + ".", value),
        { } value => throw Refuse(key, "must be an object", value),
    };

    /// <summary>A list of objects; empty where the key is absent.</summary>
    public ConfigSection[] Sections(string key)
    {
        if (Find(key) is not { } list)
        {
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Object))
        {
            throw Refuse(key, "must be a list of objects");
        }

        var (file, path) = (_file, Name(key));
        return [.. list.EnumerateArray().Select((item, index) => new ConfigSection(file, $"{path}[{index}].", item))];
    }

    /// <summary>A size, at least 1.</summary>
    public int Positive(string key, int fallback, int most = LargestSize) => Integer(key, 1, most, fallback)!.Value;

    public int? Integer(string key, int least, int most, int? fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt32(out var number) && number >= least && number <= most => number,
        { } value => throw Refuse(key, most == int.MaxValue ? $"must be an integer >= {least}" : $"must be an integer between {least} and {most}", value),
    };

    /// <summary>An id that has a row of the embedding.</summary>
    public int TokenId(string key, int rows, int fallback) => TokenIds(key, rows, [Integer(key, 0, int.MaxValue, fallback)!.Value])[0];

    /// <summary>Ids that each have a row of the embedding, at least one.</summary>
    public int[] TokenIds(string key, int rows, IReadOnlyList<int> fallback)
    {
        var ids = Integers(key) ?? [.. fallback];
        foreach (var id in ids)
        {
            if (id < 0 || id >= rows)
            {
                throw Refuse(key, $"must be >= 0 and < the vocabulary's {rows} rows", id);
            }
        }

        return ids;
    }

    public double PositiveNumber(string key, double fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out var number) && double.IsFinite(number) && number > 0 => number,
        { } value => throw Refuse(key, "must be a number > 0", value),
    };

    public bool Flag(string key, bool fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Refuse(key, "must be true or false", value),
    };

    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Refuse(key, "must be a string", value),
    };

    /// <summary>One of the given words; their order is the order of the values returned.</summary>
    public int Choice(string key, string fallback, params ReadOnlySpan<string> words)
    {
        var given = Text(key) ?? fallback;
        var index = words.IndexOf(given);
        return index >= 0 ? index : throw Refuse(key, $"must be one of {string.Join(", ", words.ToArray())}");
    }

    /// <summary>An integer or a list of integers; null where the key is absent.</summary>
    public int[]? Integers(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt32(out var single) => [single],
        { ValueKind: JsonValueKind.Array } value when value.GetArrayLength() > 0 && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out _)) =>
            [.. value.EnumerateArray().Select(item => item.GetInt32())],
        { } value => throw Refuse(key, "must be an integer or a list of integers", value),
    };

    /// <summary>A list of finite numbers; null where the key is absent.</summary>
    public double[]? Numbers(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } value when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out var number) && double.IsFinite(number)) =>
            [.. value.EnumerateArray().Select(item => item.GetDouble())],
        { } value => throw Refuse(key, "must be a list of numbers", value),
    };

    public CheckpointException Refuse(string key, string rule, object? value = null)
    {
        var given = value ?? Find(key)?.GetRawText();
        var was = given is null ? "absent" : CheckpointException.Printable(given is JsonElement element ? element.GetRawText() : given.ToString() ?? "");
        return new CheckpointException(_file, $"{Name(key)} {rule}; was {was}.");
    }

    private string Name(string key) => _path + key;
}

using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Text;

/// <summary>What tokenizer_config.json and added_tokens.json say beside the vocabulary.</summary>
internal sealed class TokenizerSettings
{
    public bool Legacy { get; init; } = true;

    public bool AddsBeginning { get; init; } = true;

    public int Beginning { get; init; } = 1;

    /// <summary>Special tokens by name, the base ones included.</summary>
    public required IReadOnlyDictionary<string, int> Added { get; init; }

    public required IReadOnlyDictionary<int, string> Names { get; init; }

    public static TokenizerSettings Read(string folder, LlavaConfig config)
    {
        var added = new Dictionary<string, int>(StringComparer.Ordinal) { ["<unk>"] = 0, ["<s>"] = config.BosTokenId, ["</s>"] = 2 };
        var settings = ConfigSection.ReadFileIfThere(Path.Combine(folder, "tokenizer_config.json"));
        if (ConfigSection.ReadFileIfThere(Path.Combine(folder, "added_tokens.json")) is { } more)
        {
            foreach (var name in more.Keys)
            {
                added[name] = more.Integer(name, 0, int.MaxValue, null) ?? throw more.Refuse(name, "must be an id", "null");
            }
        }

        if (settings?.Section("added_tokens_decoder") is { } decoder)
        {
            foreach (var id in decoder.Keys)
            {
                if (int.TryParse(id, out var number) && decoder.Section(id)?.Text("content") is { Length: > 0 } content)
                {
                    added[content] = number;
                }
            }
        }

        AddPicture(added, config);
        return new TokenizerSettings
        {
            // LlamaTokenizer's own default where the key is absent.
            Legacy = settings?.Flag("legacy", true) ?? true,
            AddsBeginning = settings?.Flag("add_bos_token", true) ?? true,
            Beginning = config.BosTokenId,
            Added = added,
            Names = NamesOf(added),
        };
    }

    /// <summary>Gives the picture's id its usual name where it has none; in the original layout it is the id of <c>&lt;unk&gt;</c>, which stays that.</summary>
    internal static void AddPicture(Dictionary<string, int> added, LlavaConfig config)
    {
        if (!added.ContainsValue(config.ImageTokenId))
        {
            added["<image>"] = config.ImageTokenId;
        }
    }

    /// <summary>One name an id, the first where there are several.</summary>
    internal static Dictionary<int, string> NamesOf(IReadOnlyDictionary<string, int> added)
    {
        var names = new Dictionary<int, string>();
        foreach (var (name, id) in added)
        {
            _ = names.TryAdd(id, name);
        }

        return names;
    }
}

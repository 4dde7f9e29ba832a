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
        var added = new Dictionary<string, int>(StringComparer.Ordinal) { ["<unk>"] = 0, ["<s>"] = config.BosTokenId, ["</s>"] = 2, ["<image>"] = config.ImageTokenId };
        var settings = ConfigSection.ReadFileIfThere(Path.Combine(folder, "tokenizer_config.json"));
        if (ConfigSection.ReadFileIfThere(Path.Combine(folder, "added_tokens.json")) is { } more)
        {
            foreach (var name in more.Keys)
            {
                added[name] = more.Integer(name, 0, int.MaxValue, null)!.Value;
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

        return new TokenizerSettings
        {
            // LlamaTokenizer's own default where the key is absent.
            Legacy = settings?.Flag("legacy", true) ?? true,
            AddsBeginning = settings?.Flag("add_bos_token", true) ?? true,
            Beginning = config.BosTokenId,
            Added = added,
            Names = added.ToDictionary(entry => entry.Value, entry => entry.Key),
        };
    }
}

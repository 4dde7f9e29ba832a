using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Text;

/// <summary>The vocabulary, merges and added tokens of a tokenizer.json whose model is BPE; ids are unique and merges are of pieces that exist.</summary>
internal sealed class BpeVocabulary
{
    private const int MostIds = 1 << 22;

    public required ConfigSection Model { get; init; }

    public required IReadOnlyDictionary<string, int> Ids { get; init; }

    /// <summary>In order of rank.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    public required IReadOnlyList<AddedToken> Added { get; init; }

    /// <summary>Ids are below this.</summary>
    public int Count => Math.Max(Ids.Values.Max(), Added.Count == 0 ? 0 : Added.Max(token => token.Id)) + 1;

    public static BpeVocabulary Read(ConfigSection root)
    {
        var model = root.Section("model") ?? throw root.Refuse("model", "must be an object");
        _ = model.Choice("type", "BPE", "BPE");
        foreach (var key in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Text(key) is { Length: > 0 })
            {
                throw model.Refuse(key, "must be empty");
            }
        }

        if (model.Find("dropout") is { } dropout && !(dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() == 0))
        {
            throw model.Refuse("dropout", "must be null or 0");
        }

        var ids = ReadIds(model);
        return new BpeVocabulary { Model = model, Ids = ids, Merges = ReadMerges(model, ids), Added = ReadAdded(root) };
    }

    private static Dictionary<string, int> ReadIds(ConfigSection model)
    {
        if (model.Find("vocab") is not { ValueKind: JsonValueKind.Object } vocabulary)
        {
            throw model.Refuse("vocab", "must be an object", "not one");
        }

        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var seen = new HashSet<int>();
        foreach (var entry in vocabulary.EnumerateObject())
        {
            ids[entry.Name] = entry.Value.ValueKind == JsonValueKind.Number && entry.Value.TryGetInt32(out var id) && id is >= 0 and < MostIds && seen.Add(id)
                ? id
                : throw model.Refuse("vocab", $"must give each piece an id of its own between 0 and {MostIds - 1}", $"{entry.Value.GetRawText()} for '{entry.Name}'");
        }

        return ids.Count > 0 ? ids : throw model.Refuse("vocab", "must not be empty");
    }

    private static List<(string Left, string Right)> ReadMerges(ConfigSection model, Dictionary<string, int> ids)
    {
        if (model.Find("merges") is not { ValueKind: JsonValueKind.Array } list)
        {
            throw model.Refuse("merges", "must be a list", "not one");
        }

        var merges = new List<(string, string)>(list.GetArrayLength());
        foreach (var item in list.EnumerateArray())
        {
            var merge = ReadMerge(item) ?? throw model.Refuse("merges", "must hold pairs of pieces", item);
            merges.Add(ids.ContainsKey(merge.Left) && ids.ContainsKey(merge.Right) && ids.ContainsKey(merge.Left + merge.Right)
                ? merge
                : throw model.Refuse("merges", "must be of pieces in the vocabulary, and make one", item));
        }

        return merges;
    }

    // Older files write "left right", newer ones ["left", "right"].
    private static (string Left, string Right)? ReadMerge(JsonElement item)
    {
        if (item.ValueKind == JsonValueKind.Array)
        {
            return item.GetArrayLength() == 2 && item.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String) ? (item[0].GetString()!, item[1].GetString()!) : null;
        }

        return item.ValueKind == JsonValueKind.String && item.GetString()!.Split(' ') is [{ Length: > 0 } left, { Length: > 0 } right] ? (left, right) : null;
    }

    private static AddedToken[] ReadAdded(ConfigSection root)
    {
        var tokens = new Dictionary<string, AddedToken>(StringComparer.Ordinal);
        foreach (var section in root.Sections("added_tokens"))
        {
            foreach (var key in (ReadOnlySpan<string>)["lstrip", "rstrip", "single_word"])
            {
                if (section.Flag(key, false))
                {
                    throw section.Refuse(key, "must be false");
                }
            }

            var content = section.Text("content") is { Length: > 0 } text ? text : throw section.Refuse("content", "must not be empty");
            var id = section.Integer("id", 0, MostIds - 1, null) ?? throw section.Refuse("id", "must be an id");
            tokens[content] = new AddedToken(content, id, section.Flag("special", false));
        }

        return [.. tokens.Values];
    }
}

/// <summary>A token beside the vocabulary.</summary>
/// <param name="IsSpecial">Whether it is left out of decoded text.</param>
internal sealed record AddedToken(string Content, int Id, bool IsSpecial);

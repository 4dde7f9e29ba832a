using System.Text.Json;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Text;

/// <summary>
/// Reads Hugging Face's <c>tokenizer.json</c>, the BPE kinds that LLaVA's language models use: Llama-2 (spaces as U+2581, byte fallback) and GPT-2 / Llama-3 (byte level).
/// A setting that would change ids and is not implemented is refused by its path.
/// </summary>
/// <remarks>Source of the meanings: huggingface/tokenizers, tokenizers/src/models/bpe and src/pre_tokenizers.</remarks>
internal static class TokenizerJsonReader
{
    public const string FileName = "tokenizer.json";

    /// <exception cref="CheckpointException">The file is damaged or of a kind that is not supported.</exception>
    public static (PieceTokenizer Tokenizer, TokenizerSettings Settings) Read(string folder, LlavaConfig config)
    {
        var path = Path.Combine(folder, FileName);
        var root = ConfigSection.ReadFile(path);
        var vocabulary = BpeVocabulary.Read(root);
        var parts = Parts(root.Section("pre_tokenizer"), "pretokenizers");
        var isByteLevel = parts.Any(part => part.Text("type") == "ByteLevel");
        var (tokenizer, prefixesEveryText) = isByteLevel ? (ByteLevelJson.Build(root, vocabulary, parts), false) : SentencePieceJson.Build(path, root, vocabulary, parts);
        return (tokenizer, ReadSettings(folder, root, vocabulary, config, prefixesEveryText));
    }

    /// <summary>A component, or the components of a <c>Sequence</c>; none where it is absent.</summary>
    public static ConfigSection[] Parts(ConfigSection? component, string listKey) =>
        component is not { } one ? [] : one.Text("type") == "Sequence" ? one.Sections(listKey) : [one];

    private static TokenizerSettings ReadSettings(string folder, ConfigSection root, BpeVocabulary vocabulary, LlavaConfig config, bool prefixesEveryText)
    {
        var added = vocabulary.Added.ToDictionary(token => token.Content, token => token.Id, StringComparer.Ordinal);
        var specials = vocabulary.Added.Where(token => token.IsSpecial).ToDictionary(token => token.Content, token => token.Id, StringComparer.Ordinal);
        TokenizerSettings.AddPicture(added, config);
        TokenizerSettings.AddPicture(specials, config);
        var template = Parts(root.Section("post_processor"), "processors").FirstOrDefault(part => part.Text("type") == "TemplateProcessing");
        var beginning = ReadBeginning(template);
        var own = ConfigSection.ReadFileIfThere(Path.Combine(folder, "tokenizer_config.json"));
        return new TokenizerSettings
        {
            Legacy = prefixesEveryText,
            AddsBeginning = own?.Flag("add_bos_token", beginning is not null) ?? beginning is not null,
            Beginning = beginning ?? config.BosTokenId,
            Added = added,
            Names = TokenizerSettings.NamesOf(specials),
        };
    }

    // The special token that a template puts before the text, if any.
    private static int? ReadBeginning(ConfigSection template)
    {
        if (template.IsEmpty || template.Sections("single") is not [var first, ..] || first.Section("SpecialToken")?.Text("id") is not { } name)
        {
            return null;
        }

        return template.Section("special_tokens")?.Section(name)?.Integers("ids") is [var id and >= 0] ? id : throw template.Refuse("special_tokens", $"must give the one id of {CheckpointException.Printable(name)}");
    }
}

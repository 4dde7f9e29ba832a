using System.Text;
using System.Text.RegularExpressions;
using LlavaCluster.Model.Config;
using Microsoft.ML.Tokenizers;

namespace LlavaCluster.Model.Text;

/// <summary>The byte-level kind of tokenizer.json (GPT-2, Llama-3).</summary>
internal static class ByteLevelJson
{
    // What ByteLevel cuts by where it is not told otherwise (openai/gpt-2: src/encoder.py).
    private const string Gpt2Words = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>A pattern comes from a file, so it may not take for ever.</summary>
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(5);

    public static PieceTokenizer Build(ConfigSection root, BpeVocabulary vocabulary, ConfigSection[] preTokenizers)
    {
        // Unicode normalisation is not there in an invariant-globalization process, and would move what offsets mean.
        if (TokenizerJsonReader.Parts(root.Section("normalizer"), "normalizers") is [var normalizer, ..])
        {
            throw normalizer.Refuse("type", "is not supported with a ByteLevel pre-tokeniser");
        }

        foreach (var letter in ByteAlphabet.Characters)
        {
            if (!vocabulary.Ids.ContainsKey(letter.ToString()))
            {
                throw vocabulary.Model.Refuse("vocab", $"must have all 256 bytes; lacks '{letter}'", "incomplete");
            }
        }

        var merger = BpeTokenizer.Create(new BpeOptions(vocabulary.Ids) { Merges = vocabulary.Merges.Select(merge => $"{merge.Left} {merge.Right}"), ByteLevel = true });
        return new ByteLevelTokenizer(merger, new WordSplitter(Patterns(preTokenizers)), vocabulary.Model.Flag("ignore_merges", false) ? vocabulary.Ids : null, Bytes(vocabulary));
    }

    private static List<Regex> Patterns(ConfigSection[] preTokenizers)
    {
        var patterns = new List<Regex>();
        foreach (var part in preTokenizers)
        {
            if (part.Choice("type", "(absent)", "Split", "ByteLevel") == 0)
            {
                patterns.Add(ReadSplit(part));
                continue;
            }

            if (part.Flag("add_prefix_space", true))
            {
                throw part.Refuse("add_prefix_space", "must be false");
            }

            if (part.Flag("use_regex", true))
            {
                patterns.Add(new Regex(Gpt2Words, RegexOptions.CultureInvariant, PatternTimeout));
            }
        }

        return patterns;
    }

    private static Regex ReadSplit(ConfigSection split)
    {
        _ = split.Choice("behavior", "(absent)", "Isolated");
        if (split.Flag("invert", false))
        {
            throw split.Refuse("invert", "must be false");
        }

        var pattern = split.Section("pattern") ?? throw split.Refuse("pattern", "must be an object");
        try
        {
            return new Regex(pattern.Text("Regex") ?? Regex.Escape(pattern.Text("String") ?? throw split.Refuse("pattern", "must have Regex or String")), RegexOptions.CultureInvariant, PatternTimeout);
        }
        catch (ArgumentException)
        {
            throw pattern.Refuse("Regex", "must be a regular expression that .NET reads");
        }
    }

    private static byte[]?[] Bytes(BpeVocabulary vocabulary)
    {
        var bytes = new byte[]?[vocabulary.Count];
        foreach (var (text, id) in vocabulary.Ids)
        {
            bytes[id] = ByteAlphabet.Read(text);
        }

        foreach (var token in vocabulary.Added)
        {
            bytes[token.Id] = token.IsSpecial ? null : Encoding.UTF8.GetBytes(token.Content);
        }

        return bytes;
    }
}

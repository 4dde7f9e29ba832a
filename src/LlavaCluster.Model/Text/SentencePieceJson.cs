using System.Collections.Immutable;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Text;

/// <summary>Llama-2's kind of tokenizer.json: what SentencePiece does, written as normalisers or as a Metaspace pre-tokeniser.</summary>
internal static class SentencePieceJson
{
    private static readonly string Space = SentencePieceTokenizer.Space.ToString();

    /// <returns>The tokeniser, and whether every text after a special token has a space put before it as the first has.</returns>
    public static (PieceTokenizer Tokenizer, bool PrefixesEveryText) Build(string path, ConfigSection root, BpeVocabulary vocabulary, ConfigSection[] preTokenizers)
    {
        if (vocabulary.Model.Flag("ignore_merges", false))
        {
            throw vocabulary.Model.Refuse("ignore_merges", "must be false without a ByteLevel pre-tokeniser");
        }

        var byteFallback = vocabulary.Model.Flag("byte_fallback", false);
        var (prefix, escapes) = ReadNormalizers(root);
        var metaspace = ReadMetaspace(preTokenizers);
        if (escapes == metaspace is not null)
        {
            throw root.Refuse("normalizer", $"must replace spaces by {Space}, unless a Metaspace pre-tokeniser does", root.Find("normalizer"));
        }

        var scheme = metaspace ?? (prefix ? "always" : "never");
        var pieces = Pieces(vocabulary, byteFallback);
        var file = new SentencePieceFile
        {
            Pieces = pieces,
            ByteFallback = byteFallback,
            AddDummyPrefix = scheme != "never",
            PrefixIsOnlyForWords = metaspace is not null,
            StripsFirstSpace = StripsFirstSpace(root),
            Merges = Ranks(vocabulary),
        };
        return SentencePieceFile.FaultOf(pieces, byteFallback) is { } fault
            ? throw new CheckpointException(path, $"model.vocab {fault}.")
            : (new SentencePieceTokenizer(file, file.AddDummyPrefix), scheme == "always");
    }

    private static (bool Prefix, bool Escapes) ReadNormalizers(ConfigSection root)
    {
        var (prefix, escapes) = (false, false);
        foreach (var normalizer in TokenizerJsonReader.Parts(root.Section("normalizer"), "normalizers"))
        {
            if (normalizer.Choice("type", "(absent)", "Prepend", "Replace") == 0)
            {
                _ = normalizer.Choice("prepend", "(absent)", Space);
                prefix = true;
            }
            else
            {
                var pattern = normalizer.Section("pattern") ?? throw normalizer.Refuse("pattern", "must be an object");
                _ = pattern.Choice("String", "(absent)", " ");
                _ = normalizer.Choice("content", "(absent)", Space);
                escapes = true;
            }
        }

        return (prefix, escapes);
    }

    // When a space is put before the text: always, first or never; null without a Metaspace.
    private static string? ReadMetaspace(ConfigSection[] preTokenizers)
    {
        if (preTokenizers is not [var metaspace])
        {
            return preTokenizers.Length == 0 ? null : throw preTokenizers[1].Refuse("type", "must be the only pre-tokeniser");
        }

        _ = metaspace.Choice("type", "(absent)", "Metaspace");
        _ = metaspace.Choice("replacement", Space, Space);
        if (metaspace.Flag("split", true))
        {
            throw metaspace.Refuse("split", "must be false");
        }

        string[] schemes = ["always", "first", "never"];
        return schemes[metaspace.Choice("prepend_scheme", metaspace.Flag("add_prefix_space", true) ? "always" : "never", schemes)];
    }

    private static bool StripsFirstSpace(ConfigSection root) =>
        TokenizerJsonReader.Parts(root.Section("decoder"), "decoders").Any(decoder => decoder.Text("type") switch
        {
            "Strip" => decoder.Integer("start", 0, int.MaxValue, 0) > 0,
            "Metaspace" => decoder.Text("prepend_scheme") != "never" && decoder.Flag("add_prefix_space", true),
            _ => false,
        });

    private static ImmutableArray<SentencePiece> Pieces(BpeVocabulary vocabulary, bool byteFallback)
    {
        var unknown = vocabulary.Model.Text("unk_token");
        var pieces = new SentencePiece[vocabulary.Count];
        Array.Fill(pieces, new SentencePiece("", 0, SentencePieceKind.Unused));
        foreach (var (text, id) in vocabulary.Ids)
        {
            var kind = byteFallback && SentencePieceFile.IsByteName(text) ? SentencePieceKind.Byte : SentencePieceKind.Normal;
            pieces[id] = new SentencePiece(text, 0, text == unknown ? SentencePieceKind.Unknown : kind);
        }

        foreach (var token in vocabulary.Added.Where(token => token.Content != unknown))
        {
            pieces[token.Id] = new SentencePiece(token.Content, 0, token.IsSpecial ? SentencePieceKind.Control : SentencePieceKind.UserDefined);
        }

        return [.. pieces];
    }

    private static Dictionary<(int Left, int Right), int> Ranks(BpeVocabulary vocabulary)
    {
        var ranks = new Dictionary<(int, int), int>(vocabulary.Merges.Count);
        for (var rank = 0; rank < vocabulary.Merges.Count; rank++)
        {
            ranks[(vocabulary.Ids[vocabulary.Merges[rank].Left], vocabulary.Ids[vocabulary.Merges[rank].Right])] = rank;
        }

        return ranks;
    }
}

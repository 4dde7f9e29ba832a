using System.Text;
using Microsoft.ML.Tokenizers;

namespace LlavaCluster.Model.Text;

/// <summary>
/// Byte-level BPE as GPT-2, Llama-3 and Qwen have it: words are cut by regular expressions, and the bytes of each are merged by the library's <see cref="BpeTokenizer"/>.
/// Lone surrogates are read as U+FFFD. Thread-safe.
/// </summary>
internal sealed class ByteLevelTokenizer : PieceTokenizer
{
    private readonly BpeTokenizer _merger;
    private readonly WordSplitter _words;
    private readonly IReadOnlyDictionary<string, int>? _wholeWords;
    private readonly byte[]?[] _bytes;

    /// <param name="merger">Without pre-tokeniser or special tokens.</param>
    /// <param name="wholeWords">The vocabulary, where a word that is in it is taken without merging (<c>ignore_merges</c>); else null.</param>
    /// <param name="bytes">What each id says; null for ids that say nothing.</param>
    public ByteLevelTokenizer(BpeTokenizer merger, WordSplitter words, IReadOnlyDictionary<string, int>? wholeWords, byte[]?[] bytes)
    {
        _merger = merger;
        _words = words;
        _wholeWords = wholeWords;
        _bytes = bytes;
    }

    public override int Count => _bytes.Length;

    internal override bool StripsFirstSpace => false;

    public override ReadOnlyMemory<byte> Bytes(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : default;

    public override PieceTokenizer WithoutPrefix() => this;

    internal override (ReadOnlyMemory<byte> Utf8, bool IsText) Shown(int id) => (Bytes(id), true);

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var given = WithoutLoneSurrogates(text ?? textSpan.ToString());
        var tokens = new List<EncodedToken>();
        foreach (var (start, length) in _words.Split(given))
        {
            AppendWord(tokens, given.Substring(start, length), start);
        }

        var kept = Math.Min(tokens.Count, settings.MaxTokenCount);
        return new EncodeResults<EncodedToken>
        {
            Tokens = kept == tokens.Count ? tokens : tokens.GetRange(0, kept),
            NormalizedText = null,
            CharsConsumed = kept == tokens.Count ? given.Length : kept == 0 ? 0 : tokens[kept - 1].Offset.End.Value,
        };
    }

    private void AppendWord(List<EncodedToken> tokens, string word, int start)
    {
        if (_wholeWords is not null && _wholeWords.TryGetValue(ByteAlphabet.Write(Encoding.UTF8.GetBytes(word)), out var whole))
        {
            tokens.Add(new EncodedToken(whole, word, new Range(start, start + word.Length)));
            return;
        }

        var covered = 0;
        foreach (var token in _merger.EncodeToTokens(word, out _, considerPreTokenization: false, considerNormalization: false))
        {
            // Of the tokens that share a character the first covers it, so that ranges do not overlap.
            var from = Math.Max(covered, token.Offset.Start.Value);
            covered = Math.Max(covered, token.Offset.End.Value);
            tokens.Add(new EncodedToken(token.Id, token.Value, new Range(start + from, start + covered)));
        }
    }

    private static string WithoutLoneSurrogates(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]))
            {
                // Each is one character before and after, so offsets hold.
                return string.Concat(text.EnumerateRunes().Select(rune => rune.ToString()));
            }
        }

        return text;
    }
}

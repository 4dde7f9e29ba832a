using LlavaCluster.Model.Config;
using Microsoft.ML.Tokenizers;

namespace LlavaCluster.Model.Text;

/// <summary>
/// A model's text side: ids from prompts and text from ids, as Hugging Face's tokenisers make them: LlamaTokenizer for the checkpoint's setting of <c>legacy</c>, or what tokenizer.json says. Thread-safe.
/// </summary>
public sealed class TextCodec
{
    private readonly PieceTokenizer _first;
    private readonly PieceTokenizer _rest;

    internal TextCodec(PieceTokenizer tokenizer, TokenizerSettings settings, int imageTokenId)
    {
        _first = tokenizer;
        _rest = settings.Legacy ? tokenizer : tokenizer.WithoutPrefix();
        Settings = settings;
        ImageTokenId = imageTokenId;
    }

    public Tokenizer Tokenizer => _first;

    public int ImageTokenId { get; }

    /// <summary>Whether every text after a special token begins with a space of its own, as older LlamaTokenizers have it.</summary>
    public bool IsLegacy => Settings.Legacy;

    /// <summary>Ids below this have a piece or a name; the model's rows beyond are padding and never drawn.</summary>
    public int Count => Math.Max(_first.Count, Settings.Added.Count == 0 ? 0 : Settings.Added.Values.Max() + 1);

    internal TokenizerSettings Settings { get; }

    /// <summary>Reads <c>tokenizer.json</c> where there is one, as Hugging Face does, and <c>tokenizer.model</c> where there is not.</summary>
    /// <exception cref="Weights.CheckpointException">The folder has no tokeniser of a known kind, or a damaged one.</exception>
    public static TextCodec Load(string folder, LlavaConfig config)
    {
        if (File.Exists(Path.Combine(folder, TokenizerJsonReader.FileName)))
        {
            var (tokenizer, settings) = TokenizerJsonReader.Read(folder, config);
            return new TextCodec(tokenizer, settings, config.ImageTokenId);
        }

        var model = Path.Combine(folder, "tokenizer.model");
        return File.Exists(model)
            ? new TextCodec(SentencePieceTokenizer.Read(model), TokenizerSettings.Read(folder, config), config.ImageTokenId)
            : throw new Weights.CheckpointException(folder, $"has no tokeniser: neither {TokenizerJsonReader.FileName} nor tokenizer.model.");
    }

    /// <summary>For a model that is being made: a SentencePiece file and the specials of the config, in the newer (not legacy) way.</summary>
    public static TextCodec ForTraining(string tokenizer, LlavaConfig config)
    {
        var added = new Dictionary<string, int>(StringComparer.Ordinal) { ["<unk>"] = 0, ["<s>"] = config.BosTokenId, ["</s>"] = config.EosTokenIds[0], ["<image>"] = config.ImageTokenId };
        var settings = new TokenizerSettings { Legacy = false, Beginning = config.BosTokenId, Added = added, Names = added.ToDictionary(entry => entry.Value, entry => entry.Key) };
        return new TextCodec(SentencePieceTokenizer.Read(tokenizer), settings, config.ImageTokenId);
    }

    /// <summary>The prompt's tokens, the beginning of sequence in front where the model wants one. A picture is one token here; its features are counted elsewhere.</summary>
    /// <exception cref="InvalidOperationException">A token holds both learned and other text, so that no label is right.</exception>
    public IReadOnlyList<PromptToken> Encode(IReadOnlyList<PromptItem> items)
    {
        var tokens = new List<PromptToken>();
        if (Settings.AddsBeginning)
        {
            tokens.Add(new PromptToken(Settings.Beginning, -1, false));
        }

        var isFirst = true;
        for (var i = 0; i < items.Count; i++)
        {
            switch (items[i])
            {
                case PromptItem.Special special:
                    tokens.Add(new PromptToken(special.Id, -1, special.Learned));
                    isFirst = false;
                    break;
                case PromptItem.Picture picture:
                    tokens.Add(new PromptToken(ImageTokenId, picture.Index, false));
                    isFirst = false;
                    break;
                case PromptItem.Words:
                    var run = items.Skip(i).TakeWhile(item => item is PromptItem.Words).Cast<PromptItem.Words>().ToList();
                    Append(tokens, run, isFirst);
                    isFirst &= run.All(words => words.Text.Length == 0);
                    i += run.Count - 1;
                    break;
            }
        }

        return tokens;
    }

    /// <summary>Text with the names of special tokens recognised, as Hugging Face's tokeniser reads a whole string. For trusted text only.</summary>
    public IReadOnlyList<int> EncodeTrusted(string text) => [.. Encode(SpecialTokenSplitter.Split(text, Settings)).Select(token => token.Id)];

    /// <param name="keepSpecials">Whether special tokens are written out by name or left out.</param>
    public string Decode(IEnumerable<int> ids, bool keepSpecials = false)
    {
        var decoder = new IncrementalDecoder(_first, Settings, keepSpecials);
        return string.Concat([.. ids.Select(decoder.Append), decoder.Finish()]);
    }

    /// <summary>A decoder of one answer's tokens as they come. Not thread-safe.</summary>
    public IncrementalDecoder CreateDecoder() => new(_first, Settings, keepSpecials: false);

    /// <summary>What a token adds to an answer, as UTF-8; empty for special tokens.</summary>
    public ReadOnlyMemory<byte> Bytes(int id) => Settings.Names.ContainsKey(id) ? default : _first.Bytes(id);

    /// <summary>Whether the token's leading space is a word mark that decoding drops where the token comes first in an answer.</summary>
    public bool LosesFirstSpace(int id)
    {
        if (Settings.Names.ContainsKey(id) || !_first.StripsFirstSpace)
        {
            return false;
        }

        var (utf8, isText) = _first.Shown(id);
        return isText && !utf8.IsEmpty && utf8.Span[0] == (byte)' ';
    }

    private void Append(List<PromptToken> tokens, List<PromptItem.Words> run, bool isFirst)
    {
        var text = string.Concat(run.Select(words => words.Text));
        // Hugging Face's newer tokeniser also reads U+2581 in the text as a space.
        var encoded = (isFirst ? _first : _rest).EncodeToTokens(Settings.Legacy ? text : text.Replace(SentencePieceTokenizer.Space, ' '), out _);
        var ends = new List<(int End, bool Learned)>();
        foreach (var words in run)
        {
            ends.Add(((ends.Count == 0 ? 0 : ends[^1].End) + words.Text.Length, words.Learned));
        }

        foreach (var token in encoded)
        {
            var (start, end) = (token.Offset.Start.Value, token.Offset.End.Value);
            var learned = ends.First(part => start < part.End || part.End == text.Length).Learned;
            var learnedAtEnd = ends.First(part => end <= part.End).Learned;
            if (end > start && learned != learnedAtEnd)
            {
                throw new InvalidOperationException($"A token lies across the border of learned text, at character {start} of {text.Length}.");
            }

            tokens.Add(new PromptToken(token.Id, -1, learned));
        }
    }
}

namespace LlavaCluster.Engine.Constraints.Vocabulary;

/// <summary>
/// How every token of a model spells text, for masks. One per tokenizer, shared by all constraints, immutable.
/// </summary>
/// <remarks>
/// The contract with the tokenizer: the text of an answer is the concatenation of its tokens' bytes, except that the first token loses a
/// leading word mark (<see cref="TokenText.LosesFirstSpace"/>). A constraint speaks about that text. "First" means first of the answer, whatever
/// the prompt ends with. For every byte of UTF-8 some token should spell exactly it (SentencePiece's byte fallback): then a mask is never
/// empty. Without it a constraint may run into a place where no token fits.
/// </remarks>
internal sealed class TokenVocabulary
{
    private readonly TokenText[] _spellings;
    private readonly int[] _ends;
    private readonly int[] _vanishing;

    /// <param name="spellings">By token id, as many as the model has rows.</param>
    /// <param name="endOfSequence">Ids that end an answer; their spelling is ignored.</param>
    public TokenVocabulary(IReadOnlyList<TokenText> spellings, ReadOnlySpan<int> endOfSequence)
    {
        _spellings = [.. spellings];
        _ends = endOfSequence.ToArray();
        foreach (var id in _ends)
        {
            _spellings[id] = default;
        }

        var texts = _spellings.Select((spelling, id) => (id, spelling)).Where(entry => !entry.spelling.Utf8.IsEmpty).ToArray();
        Trie = new TokenTrie(texts.Select(entry => (entry.id, entry.spelling.Utf8.ToArray())));
        FirstTrie = new TokenTrie(texts.Select(entry => (entry.id, BytesOf(entry.id, true).ToArray())).Where(entry => entry.Item2.Length > 0));
        _vanishing = [.. texts.Where(entry => BytesOf(entry.id, true).IsEmpty).Select(entry => entry.id)];
    }

    /// <summary>Rows of the model's output.</summary>
    public int Size => _spellings.Length;

    /// <summary>Words of a mask over the vocabulary.</summary>
    public int MaskWords => (Size + 63) / 64;

    public ReadOnlySpan<int> EndOfSequence => _ends;

    /// <summary>Spellings after the first token.</summary>
    public TokenTrie Trie { get; }

    /// <summary>Spellings of the first token.</summary>
    public TokenTrie FirstTrie { get; }

    /// <summary>Ids that add nothing as the first token (a word mark alone).</summary>
    public ReadOnlySpan<int> Vanishing => _vanishing;

    public bool IsEnd(int id) => _ends.Contains(id);

    /// <summary>What a token adds to the text; empty for ids that are no text or no row.</summary>
    public ReadOnlySpan<byte> BytesOf(int id, bool isFirst)
    {
        if ((uint)id >= (uint)_spellings.Length)
        {
            return [];
        }

        var spelling = _spellings[id];
        return spelling.Utf8.Span[(isFirst && spelling.LosesFirstSpace ? 1 : 0)..];
    }
}

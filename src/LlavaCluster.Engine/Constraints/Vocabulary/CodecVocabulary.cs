using System.Text;
using LlavaCluster.Model.Text;

namespace LlavaCluster.Engine.Constraints.Vocabulary;

/// <summary>Makes the vocabulary of a model's own tokenizer. Decodes every token once: some tens of milliseconds, once per model.</summary>
internal static class CodecVocabulary
{
    /// <param name="codec">The model's text side.</param>
    /// <param name="rows">Rows of the model's output; those beyond the tokenizer spell nothing.</param>
    /// <param name="endOfSequence">Ids that end an answer.</param>
    public static TokenVocabulary Create(TextCodec codec, int rows, ReadOnlySpan<int> endOfSequence) =>
        new([.. Enumerable.Range(0, rows).Select(id => Spell(codec, id))], endOfSequence);

    // Whether a leading space is a word mark is asked of the decoder itself: alone, such a token comes out one byte shorter.
    private static TokenSpelling Spell(TextCodec codec, int id)
    {
        var bytes = codec.Bytes(id).ToArray();
        return new TokenSpelling(bytes, bytes is [(byte)' ', ..] && Encoding.UTF8.GetByteCount(codec.Decode([id])) < bytes.Length);
    }
}

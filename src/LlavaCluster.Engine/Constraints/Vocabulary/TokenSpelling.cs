using System.Globalization;
using System.Text;

namespace LlavaCluster.Engine.Constraints.Vocabulary;

/// <summary>What one token adds to the text.</summary>
/// <param name="Bytes">Its UTF-8 bytes, possibly a part of a character. Empty for tokens that are no text (BOS, pad, image, padding rows): they are never allowed.</param>
/// <param name="LosesSpaceAtStart">Whether the leading space is a word mark that the decoder drops from the first token of an answer.</param>
internal readonly record struct TokenSpelling(byte[] Bytes, bool LosesSpaceAtStart)
{
    private const char WordMark = '\u2581';

    public static TokenSpelling None { get; } = new([], false);

    /// <summary>
    /// A SentencePiece piece as transformers' LlamaTokenizer decodes it: U+2581 is a space, and one at the very start of the answer is
    /// the dummy prefix and vanishes.
    /// </summary>
    public static TokenSpelling OfPiece(string piece) =>
        new(Encoding.UTF8.GetBytes(piece.Replace(WordMark, ' ')), piece.StartsWith(WordMark));

    /// <summary>A SentencePiece byte piece, <c>&lt;0x0A&gt;</c>: that byte, also at the start.</summary>
    public static TokenSpelling OfBytePiece(string piece) =>
        new([byte.Parse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)], false);
}

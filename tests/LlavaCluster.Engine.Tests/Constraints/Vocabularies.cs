using System.Text;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Tests.Constraints;

/// <summary>Small vocabularies in SentencePiece's shape: unk, BOS, EOS, the 256 byte pieces, then words.</summary>
internal static class Vocabularies
{
    public const int End = 2;
    public const int FirstByte = 3;

    public static readonly string[] JsonWords =
    [
        "{", "}", "[", "]", "\"", ":", ",", "{\"", "\":", "\",", "\"}", "\"]", "},", "],", ", ", ": ", "true", "false", "null", "0", "1", "2", "9", "10", "42",
        "-", ".", "e", "E+", "\\", "\\u", "\\\"", "\\n", "\u2581", "\u2581{", "\u2581\"", "\u2581\u2581", "\u2581a", "a", "b", "c", "name", "kind", "cat", "dog", "id", "next",
        "\u00e9", "\u732b", "\ud83d\udc31", "tr", "ue", "nu", "ll", "00", "D8", "dc", "T", "Z", "-0", "20",
    ];

    /// <param name="words">Pieces with U+2581 for spaces; the first has id FirstByte + 256.</param>
    public static TokenVocabulary Of(params IEnumerable<string> words)
    {
        var bytes = Enumerable.Range(0, 256).Select(value => new TokenText(new[] { (byte)value }, false));
        return new TokenVocabulary([default, default, default, .. bytes, .. words.Select(Piece), default], [End]);
    }

    /// <summary>A vocabulary of words alone, after unk, BOS and EOS.</summary>
    public static TokenVocabulary OfWordsAlone(params IEnumerable<string> words) =>
        new([default, default, default, .. words.Select(Piece)], [End]);

    // As transformers' LlamaTokenizer decodes a piece: U+2581 is a space, and one at the very start of the answer is the dummy prefix and vanishes.
    private static TokenText Piece(string piece) => new(Encoding.UTF8.GetBytes(piece.Replace('\u2581', ' ')), piece.StartsWith('\u2581'));

    public static CompiledConstraint Compile(ConstraintSpec spec, TokenVocabulary vocabulary)
    {
        var compilation = ConstraintCompiler.Compile(spec, vocabulary);
        return compilation is ConstraintCompilation.Ready ready
            ? ready.Constraint
            : throw new InvalidOperationException(((ConstraintCompilation.Refused)compilation).Message);
    }

    public static string Refusal(ConstraintSpec spec) =>
        Assert.IsType<ConstraintCompilation.Refused>(ConstraintCompiler.Compile(spec, Of(JsonWords))).Message;

    public static int[] AllowedIds(TokenConstraint constraint, TokenVocabulary vocabulary)
    {
        var words = constraint.Allowed.ToArray();
        return [.. Enumerable.Range(0, vocabulary.Size).Where(id => id / 64 < words.Length && (words[id / 64] >> (id % 64) & 1) != 0)];
    }

    /// <summary>Bytes of a text by byte pieces; null when one is not allowed, with the place.</summary>
    public static bool Accepts(CompiledConstraint compiled, string text)
    {
        var constraint = compiled.Begin();
        return Encoding.UTF8.GetBytes(text).All(value => constraint.Advance(FirstByte + value)) && constraint.Advance(End);
    }
}

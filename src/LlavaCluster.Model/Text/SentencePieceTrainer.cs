using System.Text;
using Google.Protobuf;

namespace LlavaCluster.Model.Text;

/// <summary>
/// Learns a small BPE vocabulary and writes it as a SentencePiece <c>tokenizer.model</c> (identity normalisation, dummy prefix, byte fallback, digits and punctuation apart), readable
/// by ours and by the reference implementation. For corpora of thousands of distinct words; time grows with merges times distinct words.
/// </summary>
public static class SentencePieceTrainer
{
    private const int ByteCount = 256;
    private const int Specials = 3;

    /// <param name="texts">The corpus; its word counts matter, its order does not.</param>
    /// <param name="vocabularySize">Pieces wanted, specials and bytes included; fewer come out where the corpus has no more pairs.</param>
    /// <returns>The file's bytes; the same corpus gives the same bytes.</returns>
    public static byte[] Train(IEnumerable<string> texts, int vocabularySize)
    {
        var words = CountWords(texts);
        var characters = words.SelectMany(word => word.Symbols).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, Specials + ByteCount + characters.Count);
        var merged = new List<string>();
        while (Specials + ByteCount + characters.Count + merged.Count < vocabularySize && MostFrequentPair(words) is { } pair)
        {
            merged.Add(pair.Left + pair.Right);
            foreach (var word in words)
            {
                word.Merge(pair.Left, pair.Right);
            }
        }

        return Write([.. merged, .. characters]);
    }

    private static List<Word> CountWords(IEnumerable<string> texts)
    {
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            foreach (var word in Split(SentencePieceTokenizer.Space + text.Replace(' ', SentencePieceTokenizer.Space)))
            {
                counts[word] = counts.GetValueOrDefault(word) + 1;
            }
        }

        return [.. counts.Select(entry => new Word(entry.Key, entry.Value))];
    }

    // A word begins at a space; digits and punctuation stand alone, so that a word before a comma is the word; line breaks are left to the byte pieces.
    private static IEnumerable<string> Split(string text)
    {
        var word = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            var alone = Rune.IsDigit(rune) || Rune.IsPunctuation(rune);
            if ((alone || rune.Value is SentencePieceTokenizer.Space or '\n') && word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }

            if (alone)
            {
                yield return rune.ToString();
            }
            else if (rune.Value != '\n')
            {
                word.Append(rune);
            }
        }

        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }

    private static (string Left, string Right)? MostFrequentPair(List<Word> words)
    {
        var counts = new Dictionary<(string, string), long>();
        foreach (var word in words)
        {
            for (var i = 0; i + 1 < word.Symbols.Count; i++)
            {
                var pair = (word.Symbols[i], word.Symbols[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + word.Count;
            }
        }

        // Ties go to the first in ordinal order, so that the outcome does not depend on a dictionary's.
        return counts.Count == 0 ? null : counts.OrderByDescending(entry => entry.Value)
            .ThenBy(entry => entry.Key.Item1, StringComparer.Ordinal).ThenBy(entry => entry.Key.Item2, StringComparer.Ordinal).First().Key;
    }

    private static byte[] Write(List<string> pieces)
    {
        using var buffer = new MemoryStream();
        using (var output = new CodedOutputStream(buffer))
        {
            WritePiece(output, "<unk>", 0, SentencePieceKind.Unknown);
            WritePiece(output, "<s>", 0, SentencePieceKind.Control);
            WritePiece(output, "</s>", 0, SentencePieceKind.Control);
            for (var i = 0; i < ByteCount; i++)
            {
                WritePiece(output, $"<0x{i:X2}>", 0, SentencePieceKind.Byte);
            }

            for (var i = 0; i < pieces.Count; i++)
            {
                WritePiece(output, pieces[i], -i, SentencePieceKind.Normal);
            }

            // Field numbers of sentencepiece_model.proto: TrainerSpec, then NormalizerSpec.
            WriteMessage(output, 2, spec => WriteNumbers(spec, (3, 2), (4, Specials + ByteCount + pieces.Count), (25, 1), (35, 1), (40, 0), (41, 1), (42, 2)));
            WriteMessage(output, 3, spec =>
            {
                spec.WriteTag(1, WireFormat.WireType.LengthDelimited);
                spec.WriteString("identity");
                WriteNumbers(spec, (3, 1), (4, 0), (5, 1));
            });
        }

        return buffer.ToArray();
    }

    private static void WritePiece(CodedOutputStream output, string text, float score, SentencePieceKind kind) =>
        WriteMessage(output, 1, piece =>
        {
            piece.WriteTag(1, WireFormat.WireType.LengthDelimited);
            piece.WriteString(text);
            piece.WriteTag(2, WireFormat.WireType.Fixed32);
            piece.WriteFloat(score);
            WriteNumbers(piece, (3, (int)kind));
        });

    private static void WriteNumbers(CodedOutputStream output, params ReadOnlySpan<(int Field, int Value)> numbers)
    {
        foreach (var (field, value) in numbers)
        {
            output.WriteTag(field, WireFormat.WireType.Varint);
            output.WriteInt32(value);
        }
    }

    private static void WriteMessage(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        using var buffer = new MemoryStream();
        using (var message = new CodedOutputStream(buffer))
        {
            write(message);
        }

        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(buffer.ToArray()));
    }

    private sealed class Word(string text, long count)
    {
        public long Count { get; } = count;

        public List<string> Symbols { get; } = [.. text.EnumerateRunes().Select(rune => rune.ToString())];

        public void Merge(string left, string right)
        {
            for (var i = 0; i + 1 < Symbols.Count; i++)
            {
                if (Symbols[i] == left && Symbols[i + 1] == right)
                {
                    Symbols[i] = left + right;
                    Symbols.RemoveAt(i + 1);
                }
            }
        }
    }
}

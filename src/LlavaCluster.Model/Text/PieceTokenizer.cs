using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace LlavaCluster.Model.Text;

/// <summary>A vocabulary behind the library's <see cref="Tokenizer"/>: each id stands for bytes of its own, and no special tokens are added or recognised. Thread-safe.</summary>
public abstract class PieceTokenizer : Tokenizer
{
    /// <summary>Ids are below this; some may stand for nothing.</summary>
    public abstract int Count { get; }

    /// <summary>Whether encoding puts a space before the text, which decoding takes away again.</summary>
    internal abstract bool StripsFirstSpace { get; }

    /// <summary>What a piece says, as UTF-8 and with real spaces; empty for control and unknown pieces and for ids beyond the vocabulary.</summary>
    public abstract ReadOnlyMemory<byte> Bytes(int id);

    /// <summary>The same pieces without a space before the text: for what follows a special token.</summary>
    public abstract PieceTokenizer WithoutPrefix();

    public override string Decode(IEnumerable<int> ids)
    {
        var decoder = new PieceDecoder(this, StripsFirstSpace);
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            decoder.Append(id, text);
        }

        decoder.Flush(text);
        return text.ToString();
    }

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        idsConsumed = charsWritten = 0;
        var decoder = new PieceDecoder(this, StripsFirstSpace);
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            decoder.Append(id, text);
            if (text.Length > destination.Length)
            {
                return OperationStatus.DestinationTooSmall;
            }

            text.CopyTo(charsWritten, destination[charsWritten..], text.Length - charsWritten);
            charsWritten = text.Length;
            idsConsumed++;
        }

        decoder.Flush(text);
        if (text.Length > destination.Length)
        {
            return OperationStatus.DestinationTooSmall;
        }

        text.CopyTo(charsWritten, destination[charsWritten..], text.Length - charsWritten);
        charsWritten = text.Length;
        return OperationStatus.Done;
    }

    /// <summary>What a piece adds to a decoded text: bytes, and whether they are text whose first space may be the prefix (a byte piece's never is).</summary>
    internal abstract (ReadOnlyMemory<byte> Utf8, bool IsText) Shown(int id);
}

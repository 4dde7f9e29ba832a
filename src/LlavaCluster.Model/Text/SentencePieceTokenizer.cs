using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace LlavaCluster.Model.Text;

/// <summary>
/// LLaMA's SentencePiece BPE behind the library's <see cref="Tokenizer"/>: ids equal to the reference implementation's, no special tokens added or recognised.
/// Thread-safe.
/// </summary>
public sealed class SentencePieceTokenizer : Tokenizer
{
    internal const char Space = '\u2581';

    private readonly SentencePieceFile _file;
    private readonly BytePairMerger _merger;
    private readonly bool _prefix;

    internal SentencePieceTokenizer(SentencePieceFile file, bool prefix)
    {
        _file = file;
        _merger = new BytePairMerger(file);
        _prefix = prefix;
    }

    /// <summary>Reads a <c>tokenizer.model</c>.</summary>
    /// <exception cref="Weights.CheckpointException">The file is damaged or of a kind that is not supported.</exception>
    public static SentencePieceTokenizer Read(string path)
    {
        var file = SentencePieceFile.Read(path);
        return new SentencePieceTokenizer(file, file.AddDummyPrefix);
    }

    /// <summary>Number of pieces.</summary>
    public int Count => _file.Pieces.Length;

    /// <summary>The same pieces without a space before the text: for what follows a special token.</summary>
    public SentencePieceTokenizer WithoutPrefix() => new(_file, prefix: false);

    public override string Decode(IEnumerable<int> ids)
    {
        var decoder = new PieceDecoder(this, stripsFirstSpace: _file.AddDummyPrefix);
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
        var decoder = new PieceDecoder(this, stripsFirstSpace: _file.AddDummyPrefix);
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

    /// <summary>What a piece says, as UTF-8 and with real spaces; empty for control and unknown pieces and for ids beyond the vocabulary.</summary>
    public ReadOnlyMemory<byte> Bytes(int id)
    {
        if ((uint)id >= (uint)_file.Pieces.Length)
        {
            return default;
        }

        var piece = _file.Pieces[id];
        return piece.Kind switch
        {
            SentencePieceKind.Byte => new[] { Convert.ToByte(piece.Text[3..5], 16) },
            SentencePieceKind.Normal or SentencePieceKind.UserDefined => Encoding.UTF8.GetBytes(piece.Text.Replace(Space, ' ')),
            _ => default,
        };
    }

    internal SentencePiece? Piece(int id) => (uint)id < (uint)_file.Pieces.Length ? _file.Pieces[id] : null;

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var given = text ?? textSpan.ToString();
        if (given.Length == 0)
        {
            return new EncodeResults<EncodedToken> { Tokens = [], NormalizedText = null, CharsConsumed = 0 };
        }

        var shift = _prefix ? 1 : 0;
        var normalised = (_prefix ? Space.ToString() : "") + given.Replace(' ', Space);
        var pieces = new List<(int Id, int Start, int Length)>(normalised.Length);
        _merger.Encode(normalised, pieces);
        var kept = pieces.Take(settings.MaxTokenCount).ToList();
        var tokens = kept.Select(piece =>
        {
            var start = Math.Max(0, piece.Start - shift);
            return new EncodedToken(piece.Id, _file.Pieces[piece.Id].Text, new Range(start, Math.Max(start, piece.Start + piece.Length - shift)));
        }).ToArray();
        return new EncodeResults<EncodedToken>
        {
            Tokens = tokens,
            NormalizedText = normalised,
            CharsConsumed = kept.Count == pieces.Count ? given.Length : tokens.Length == 0 ? 0 : tokens[^1].Offset.End.Value,
        };
    }
}

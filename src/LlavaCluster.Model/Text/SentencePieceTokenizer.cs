using System.Text;
using Microsoft.ML.Tokenizers;

namespace LlavaCluster.Model.Text;

/// <summary>
/// LLaMA's SentencePiece BPE behind the library's <see cref="Tokenizer"/>: ids equal to the reference implementation's, no special tokens added or recognised.
/// Thread-safe.
/// </summary>
public sealed class SentencePieceTokenizer : PieceTokenizer
{
    internal const char Space = '\u2581';

    private static readonly byte[] UnknownSurface = Encoding.UTF8.GetBytes(" \u2047 ");

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

    public override int Count => _file.Pieces.Length;

    public override PieceTokenizer WithoutPrefix() => new SentencePieceTokenizer(_file, prefix: false);

    public override ReadOnlyMemory<byte> Bytes(int id)
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

    internal override bool StripsFirstSpace => _file.StripsFirstSpace;

    internal override (ReadOnlyMemory<byte> Utf8, bool IsText) Shown(int id) =>
        (uint)id < (uint)_file.Pieces.Length && _file.Pieces[id].Kind == SentencePieceKind.Unknown
            ? (UnknownSurface, true)
            : (Bytes(id), (uint)id < (uint)_file.Pieces.Length && _file.Pieces[id].Kind != SentencePieceKind.Byte);

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var given = text ?? textSpan.ToString();
        if (given.Length == 0)
        {
            return new EncodeResults<EncodedToken> { Tokens = [], NormalizedText = null, CharsConsumed = 0 };
        }

        var escaped = given.Replace(' ', Space);
        var shift = _prefix && !(_file.PrefixIsOnlyForWords && escaped[0] == Space) ? 1 : 0;
        var normalised = shift == 1 ? Space + escaped : escaped;
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

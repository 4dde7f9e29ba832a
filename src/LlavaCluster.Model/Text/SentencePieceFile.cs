using System.Collections.Immutable;
using Google.Protobuf;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Model.Text;

/// <summary>
/// A <c>tokenizer.model</c>: the fields of sentencepiece_model.proto that encoding depends on. Models that are not BPE, and normalisations other than identity,
/// are refused: LLaMA's family uses none.
/// </summary>
internal sealed record SentencePieceFile
{
    private const int BytePairEncoding = 2;
    private const int LargestFile = 64 << 20;

    public required ImmutableArray<SentencePiece> Pieces { get; init; }

    /// <summary>Whether a space is put before the text.</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>Whether that space is left out where the text begins with one of its own (Metaspace in tokenizer.json).</summary>
    public bool PrefixIsOnlyForWords { get; init; }

    /// <summary>Whether decoding takes one space from the start of a text.</summary>
    public bool StripsFirstSpace { get; init; } = true;

    /// <summary>The rank of each pair that merges, by the ids of its parts, where the file lists them; null where every pair merges that makes a piece.</summary>
    public IReadOnlyDictionary<(int Left, int Right), int>? Merges { get; init; }

    /// <summary>Whether characters outside the vocabulary become byte pieces.</summary>
    public bool ByteFallback { get; init; }

    /// <exception cref="CheckpointException">The file is damaged or of a kind that is not supported.</exception>
    public static SentencePieceFile Read(string path)
    {
        try
        {
            return new FileInfo(path).Length <= LargestFile
                ? Parse(path, File.ReadAllBytes(path))
                : throw new CheckpointException(path, $"must be <= {LargestFile} bytes; was {new FileInfo(path).Length}.");
        }
        catch (Exception exception) when (exception is InvalidProtocolBufferException or InvalidDataException or OverflowException)
        {
            throw new CheckpointException(path, $"is not a SentencePiece model: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, "cannot be read: " + exception.Message, exception);
        }
    }

    private static SentencePieceFile Parse(string path, byte[] bytes)
    {
        var pieces = ImmutableArray.CreateBuilder<SentencePiece>();
        var (type, byteFallback, dummyPrefix, removesSpaces, hasMap) = (1, false, true, true, false);
        foreach (var (field, value) in Fields(bytes))
        {
            switch (field)
            {
                case 1:
                    pieces.Add(ReadPiece(value.Bytes));
                    break;
                case 2:
                    foreach (var (key, setting) in Fields(value.Bytes))
                    {
                        type = key == 3 ? (int)setting.Number : type;
                        byteFallback = key == 35 ? setting.Number != 0 : byteFallback;
                    }

                    break;
                case 3:
                    foreach (var (key, setting) in Fields(value.Bytes))
                    {
                        hasMap |= key == 2 && setting.Bytes.Length > 0;
                        dummyPrefix = key == 3 ? setting.Number != 0 : dummyPrefix;
                        removesSpaces = key == 4 ? setting.Number != 0 : removesSpaces;
                    }

                    break;
            }
        }

        var refusal = pieces.Count == 0 ? "has no pieces"
            : type != BytePairEncoding ? $"must be a BPE model (type {BytePairEncoding}); was type {type}"
            : hasMap ? "has a normalisation map, which is not supported"
            : removesSpaces ? "removes extra spaces, which is not supported"
            : FaultOf(pieces, byteFallback);
        return refusal is null
            ? new SentencePieceFile { Pieces = pieces.ToImmutable(), AddDummyPrefix = dummyPrefix, StripsFirstSpace = dummyPrefix, ByteFallback = byteFallback }
            : throw new CheckpointException(path, $"{refusal}.");
    }

    /// <summary>What makes a vocabulary unusable, or null.</summary>
    internal static string? FaultOf(IReadOnlyList<SentencePiece> pieces, bool byteFallback)
    {
        var bytes = new HashSet<string>(StringComparer.Ordinal);
        for (var id = 0; id < pieces.Count; id++)
        {
            if (!Enum.IsDefined(pieces[id].Kind))
            {
                return $"piece {id} must be of type 1 to 6; was {(int)pieces[id].Kind}";
            }

            if (pieces[id].Kind == SentencePieceKind.Byte)
            {
                if (!IsByteName(pieces[id].Text))
                {
                    return $"byte piece {id} must be named <0x00> to <0xFF>; was '{CheckpointException.Printable(pieces[id].Text)}'";
                }

                _ = bytes.Add(pieces[id].Text);
            }
        }

        return byteFallback && bytes.Count != 256 ? $"must have 256 byte pieces for its byte fallback; has {bytes.Count}" : null;
    }

    internal static bool IsByteName(string text) =>
        text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>' && char.IsAsciiHexDigitUpper(text[3]) && char.IsAsciiHexDigitUpper(text[4]);

    private static SentencePiece ReadPiece(byte[] bytes)
    {
        var piece = new SentencePiece("", 0, SentencePieceKind.Normal);
        foreach (var (field, value) in Fields(bytes))
        {
            piece = field switch
            {
                1 => piece with { Text = System.Text.Encoding.UTF8.GetString(value.Bytes) },
                2 => piece with { Score = BitConverter.UInt32BitsToSingle((uint)value.Number) },
                3 => piece with { Kind = (SentencePieceKind)value.Number },
                _ => piece,
            };
        }

        return piece;
    }

    private static IEnumerable<(int Field, (ulong Number, byte[] Bytes) Value)> Fields(byte[] bytes)
    {
        var input = new CodedInputStream(bytes);
        while (input.ReadTag() is var tag and not 0)
        {
            yield return (WireFormat.GetTagFieldNumber(tag), WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => (input.ReadUInt64(), []),
                WireFormat.WireType.Fixed32 => (input.ReadFixed32(), []),
                WireFormat.WireType.Fixed64 => (input.ReadFixed64(), []),
                WireFormat.WireType.LengthDelimited => (0UL, input.ReadBytes().ToByteArray()),
                _ => throw InvalidGroup(),
            });
        }
    }

    private static Exception InvalidGroup() => new InvalidDataException("Groups do not occur in SentencePiece models.");
}

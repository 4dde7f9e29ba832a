using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>The first reading of a data set: judges every record on several threads, some thousands at a time, and takes the verdicts in the order of the file.</summary>
internal sealed class DatasetScan(RecordFile records, PictureStore pictures, SampleEncoder encoder, DatasetOptions options)
{
    private const int Chunk = 4096;
    private const int MostIdBytes = 16;

    private readonly HashSet<UInt128> _ids = [];

    public DatasetReport Report { get; } = new();

    /// <summary>Indices of the records that are used.</summary>
    public List<int> Kept { get; } = [];

    public List<int> Lengths { get; } = [];

    public string Digest { get; private set; } = "";

    public void Run(Action<int>? progress, CancellationToken cancellationToken)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var verdicts = new Verdict[Chunk];
        for (var first = 0; first < records.Count; first += Chunk)
        {
            var (begin, count) = (first, Math.Min(Chunk, records.Count - first));
            OwnThreads.For(count, options.Threads, i => verdicts[i] = Judge(begin + i), cancellationToken);
            for (var i = 0; i < count; i++)
            {
                Take(first + i, verdicts[i], digest);
            }

            progress?.Invoke(first + count);
        }

        Report.Records = records.Count;
        Digest = Convert.ToHexStringLower(digest.GetHashAndReset());
    }

    public static (byte[]? Bytes, BadRecordKind Kind, string Reason) Read(PictureReference picture, PictureStore store, DatasetOptions options)
    {
        if (picture.Name is { } name)
        {
            return store.Read(name, options.Picture.MaxBytes);
        }

        return picture.Inline!.Length <= options.Picture.MaxBytes
            ? (picture.Inline, default, "")
            : (null, BadRecordKind.BrokenPicture, $"a picture must have at most {options.Picture.MaxBytes} bytes; had {picture.Inline.Length}.");
    }

    private void Take(int record, Verdict verdict, IncrementalHash digest)
    {
        if (verdict.Bad is null && verdict.Id is { } id && !options.AllowDuplicateIds && !_ids.Add(Hash(id)))
        {
            verdict = verdict with { Bad = new BadRecord(record, id, BadRecordKind.DuplicateId, "an id must occur once; a record before this has it too.") };
        }

        if (verdict.Bad is { } bad)
        {
            Report.Add(bad);
            return;
        }

        Kept.Add(record);
        Lengths.Add(verdict.Length);
        digest.AppendData(verdict.Digest);
    }

    private Verdict Judge(int record)
    {
        if (records.BytesOf(record) > options.MaxRecordBytes)
        {
            return Refused(null, BadRecordKind.TooLarge, $"a record must have at most {options.MaxRecordBytes} bytes; had {records.BytesOf(record)}.");
        }

        var json = records.Read(record);
        var parsed = ConversationParser.Parse(json, options.MaxPictures);
        if (parsed.Conversation is not { } conversation)
        {
            return Refused(parsed.Id, parsed.Kind!.Value, parsed.Reason);
        }

        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(digest, json);
        foreach (var picture in conversation.Pictures)
        {
            var (bytes, kind, reason) = Read(picture, pictures, options);
            if (bytes is null)
            {
                return Refused(parsed.Id, kind, reason);
            }

            if (SampleEncoder.Check(bytes, options.Picture, options.DecodePictures) is { } refusal)
            {
                return Refused(parsed.Id, BadRecordKind.BrokenPicture, refusal);
            }

            Append(digest, options.DecodePictures ? bytes : BitConverter.GetBytes(bytes.LongLength));
        }

        var (tokens, fault, why) = encoder.Tokens(conversation, record);
        if (tokens.Count == 0)
        {
            return Refused(parsed.Id, fault, why);
        }

        var words = Math.Max(1, conversation.Words);
        return new Verdict(parsed.Id, null, conversation.Pictures.Count > 0 ? words : -words, digest.GetHashAndReset());

        Verdict Refused(string? id, BadRecordKind kind, string reason) => new(id, new BadRecord(record, id is null ? null : RecordFault.Short(id), kind, reason), 0, []);
    }

    // With its length in front, so that no two lists of parts are the same bytes.
    private static void Append(IncrementalHash digest, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, part.Length);
        digest.AppendData(length);
        digest.AppendData(part);
    }

    private static UInt128 Hash(string id) => BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, MostIdBytes));

    /// <param name="Length">Words, negative without a picture.</param>
    private sealed record Verdict(string? Id, BadRecord? Bad, int Length, byte[] Digest);
}

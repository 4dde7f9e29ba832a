using System.Collections.Immutable;
using System.Text;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Storage.Conversations;

/// <summary>
/// Records as bytes: a format version, a kind, the turn id, then the kind's fields with variable-length integers.
/// A field is only ever added at a record's end under a new version; a reader refuses versions it does not know.
/// </summary>
internal static class LogRecordCodec
{
    private const byte Version = 1;

    private enum Kind : byte
    {
        TurnBegun = 1,
        PromptCounted = 2,
        TokensEmitted = 3,
        TurnCompleted = 4,
        TurnSettled = 5,
        ConversationCreated = 6,
    }

    public static byte[] Encode(LogRecord record)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer, Encoding.UTF8);
        writer.Write(Version);
        writer.Write((byte)KindOf(record));
        writer.WriteGuid(record.TurnId);
        switch (record)
        {
            case ConversationCreated created:
                writer.WriteTime(created.At);
                break;
            case TurnBegun begun:
                writer.WriteTime(begun.At);
                writer.Write(begun.Weight);
                TurnRequestCodec.Write(writer, begun.Request);
                break;
            case PromptCounted counted:
                WriteUsage(writer, counted.Usage);
                break;
            case TokensEmitted emitted:
                writer.WriteList(emitted.Emissions, WriteEmission);
                break;
            case TurnCompleted completed:
                writer.WriteTime(completed.At);
                writer.WriteOptional(completed.Usage, WriteUsage);
                writer.WriteOptional(completed.Failure, WriteFailure);
                break;
        }

        writer.Flush();
        return buffer.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are not a record of a known version.</exception>
    public static LogRecord Decode(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        try
        {
            var version = reader.ReadByte();
            if (version != Version)
            {
                throw new InvalidDataException($"A log record's version must be {Version}; was {version}.");
            }

            var kind = (Kind)reader.ReadByte();
            var turn = reader.ReadGuid();
            return kind switch
            {
                Kind.TurnBegun => ReadBegun(reader, turn),
                Kind.PromptCounted => new PromptCounted(turn, ReadUsage(reader)),
                Kind.TokensEmitted => new TokensEmitted(turn, reader.ReadList(ReadEmission)),
                Kind.TurnCompleted => new TurnCompleted(turn, reader.ReadTime(), reader.ReadOptional(ReadUsage), reader.ReadOptional(ReadFailure)),
                Kind.TurnSettled => new TurnSettled(turn),
                Kind.ConversationCreated => new ConversationCreated(reader.ReadTime()),
                _ => throw new InvalidDataException($"A log record's kind must be 1 to 6; was {(byte)kind}."),
            };
        }
        catch (Exception fault) when (fault is IOException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"A log record of {bytes.Length} bytes is cut short or damaged.", fault);
        }
    }

    private static Kind KindOf(LogRecord record) => record switch
    {
        TurnBegun => Kind.TurnBegun,
        PromptCounted => Kind.PromptCounted,
        TokensEmitted => Kind.TokensEmitted,
        TurnCompleted => Kind.TurnCompleted,
        TurnSettled => Kind.TurnSettled,
        ConversationCreated => Kind.ConversationCreated,
        _ => throw new ArgumentException($"No encoding for {record.GetType().Name}.", nameof(record)),
    };

    private static TurnBegun ReadBegun(BinaryReader reader, Guid turn)
    {
        var at = reader.ReadTime();
        var weight = reader.ReadDouble();
        return new TurnBegun(TurnRequestCodec.Read(reader, turn), at, weight);
    }

    private static void WriteEmission(BinaryWriter writer, Emission emission)
    {
        writer.Write7BitEncodedInt(emission.Choice);
        writer.Write7BitEncodedInt(emission.Token + 1);
        writer.Write(emission.Text);
        writer.WriteOptional(emission.Logprob, WriteLogprob);
        writer.Write7BitEncodedInt(emission.Finish is { } finish ? (int)finish + 1 : 0);
    }

    private static Emission ReadEmission(BinaryReader reader)
    {
        var choice = reader.Read7BitEncodedInt();
        var token = reader.Read7BitEncodedInt() - 1;
        var text = reader.ReadString();
        var logprob = reader.ReadOptional(ReadLogprob);
        var finish = reader.Read7BitEncodedInt();
        return new Emission(choice, token, text, logprob, finish == 0 ? null : (FinishReason)(finish - 1));
    }

    private static void WriteLogprob(BinaryWriter writer, TokenLogprob logprob)
    {
        writer.Write7BitEncodedInt(logprob.Token);
        writer.Write(logprob.Text);
        writer.Write(logprob.Logprob);
        writer.WriteList(logprob.Alternatives, WriteLogprob);
    }

    private static TokenLogprob ReadLogprob(BinaryReader reader) =>
        new(reader.Read7BitEncodedInt(), reader.ReadString(), reader.ReadSingle(), reader.ReadList(ReadLogprob));

    private static void WriteUsage(BinaryWriter writer, TokenUsage usage)
    {
        writer.Write7BitEncodedInt(usage.PromptTokens);
        writer.Write7BitEncodedInt(usage.ImageTokens);
        writer.Write7BitEncodedInt(usage.CachedTokens);
        writer.Write7BitEncodedInt(usage.CompletionTokens);
    }

    private static TokenUsage ReadUsage(BinaryReader reader) =>
        new(reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt());

    private static void WriteFailure(BinaryWriter writer, ChatFailure failure)
    {
        writer.Write7BitEncodedInt((int)failure.Kind);
        writer.Write(failure.Message);
        writer.WriteOptional(failure.Field, (w, field) => w.Write(field));
        writer.Write7BitEncodedInt64(failure.RetryAfter is { } after ? after.Ticks + 1 : 0);
    }

    private static ChatFailure ReadFailure(BinaryReader reader)
    {
        var kind = (ChatFailureKind)reader.Read7BitEncodedInt();
        var message = reader.ReadString();
        var field = reader.ReadOptional(r => r.ReadString());
        var after = reader.Read7BitEncodedInt64();
        return new ChatFailure(kind, message, field, after == 0 ? null : TimeSpan.FromTicks(after - 1));
    }
}

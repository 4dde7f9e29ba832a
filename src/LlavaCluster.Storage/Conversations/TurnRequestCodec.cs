using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Storage.Conversations;

/// <summary>The part of a begun turn's record that holds the request.</summary>
internal static class TurnRequestCodec
{
    // What was one flag once is their byte: records of that time read as they did.
    private const byte Transient = 1;
    private const byte ClientOwned = 2;
    private const byte Adapted = 4;

    public static void Write(BinaryWriter writer, TurnRequest request)
    {
        writer.WriteGuid(request.Parent ?? Guid.Empty);
        writer.WriteList(request.Messages, WriteMessage);
        WriteOptions(writer, request.Options);
        writer.Write(request.Model);
        writer.Write(request.AffinityKey);
        writer.Write7BitEncodedInt((int)request.Priority);
        writer.Write(request.Deadline?.UtcTicks ?? 0);
        writer.Write7BitEncodedInt(request.WorstCaseTokens);
        writer.Write((byte)((request.Transient ? Transient : 0) | (request.ClientOwned ? ClientOwned : 0) | (request.Adapter is null ? 0 : Adapted)));
        if (request.Adapter is { } adapter)
        {
            writer.Write(adapter.Value);
        }
    }

    public static TurnRequest Read(BinaryReader reader, Guid turn)
    {
        var parent = reader.ReadGuid();
        var messages = reader.ReadList(ReadMessage);
        var options = ReadOptions(reader);
        var model = reader.ReadString();
        var affinity = reader.ReadString();
        var priority = (TurnPriority)reader.Read7BitEncodedInt();
        var deadline = reader.ReadInt64();
        var worstCase = reader.Read7BitEncodedInt();
        var flags = reader.ReadByte();
        return new TurnRequest
        {
            TurnId = turn,
            Parent = parent == Guid.Empty ? null : parent,
            Messages = messages,
            Options = options,
            Model = model,
            AffinityKey = affinity,
            Priority = priority,
            Deadline = deadline == 0 ? null : new DateTimeOffset(deadline, TimeSpan.Zero),
            WorstCaseTokens = worstCase,
            Transient = (flags & Transient) != 0,
            ClientOwned = (flags & ClientOwned) != 0,
            Adapter = (flags & Adapted) != 0 ? ReadObject(reader) : null,
        };
    }

    private static ObjectId ReadObject(BinaryReader reader) =>
        ObjectId.TryParse(reader.ReadString(), out var id) ? id.Value : throw new InvalidDataException("An adapter's id must be 64 hexadecimal digits.");

    private static void WriteMessage(BinaryWriter writer, ChatMessage message)
    {
        writer.Write7BitEncodedInt((int)message.Role);
        writer.WriteList(message.Parts, (w, part) =>
        {
            w.Write(part.Image is not null);
            w.Write(part.Image?.Value ?? part.Text ?? "");
        });
    }

    private static ChatMessage ReadMessage(BinaryReader reader) =>
        new((ChatRole)reader.Read7BitEncodedInt(), reader.ReadList(ReadPart));

    private static MessagePart ReadPart(BinaryReader reader)
    {
        var isImage = reader.ReadBoolean();
        var value = reader.ReadString();
        if (!isImage)
        {
            return MessagePart.OfText(value);
        }

        return ImageId.TryParse(value, out var image)
            ? MessagePart.OfImage(image.Value)
            : throw new InvalidDataException($"A picture's id must be 64 hexadecimal digits; was {value.Length} characters.");
    }

    private static void WriteOptions(BinaryWriter writer, GenerationOptions options)
    {
        writer.Write7BitEncodedInt(options.MaxTokens);
        writer.Write(options.Temperature);
        writer.Write(options.TopP);
        writer.Write7BitEncodedInt(options.TopK);
        writer.Write(options.MinP);
        writer.Write(options.RepetitionPenalty);
        writer.Write(options.FrequencyPenalty);
        writer.Write(options.PresencePenalty);
        writer.Write(options.Seed);
        writer.WriteList(options.Stop, (w, stop) => w.Write(stop));
        writer.WriteList([.. options.LogitBias.OrderBy(bias => bias.Key)], (w, bias) =>
        {
            w.Write7BitEncodedInt(bias.Key);
            w.Write(bias.Value);
        });
        writer.Write7BitEncodedInt((options.TopLogprobs ?? -1) + 1);
        writer.Write7BitEncodedInt(options.Choices);
        writer.Write(options.IgnoreEos);
        writer.WriteOptional(options.Constraint, (w, constraint) =>
        {
            w.Write7BitEncodedInt((int)constraint.Kind);
            w.WriteList(constraint.Texts, (inner, text) => inner.Write(text));
        });
    }

    private static GenerationOptions ReadOptions(BinaryReader reader) => new()
    {
        MaxTokens = reader.Read7BitEncodedInt(),
        Temperature = reader.ReadDouble(),
        TopP = reader.ReadDouble(),
        TopK = reader.Read7BitEncodedInt(),
        MinP = reader.ReadDouble(),
        RepetitionPenalty = reader.ReadDouble(),
        FrequencyPenalty = reader.ReadDouble(),
        PresencePenalty = reader.ReadDouble(),
        Seed = reader.ReadUInt64(),
        Stop = reader.ReadList(r => r.ReadString()),
        LogitBias = reader.ReadList(r => KeyValuePair.Create(r.Read7BitEncodedInt(), r.ReadSingle())).ToImmutableDictionary(),
        TopLogprobs = reader.Read7BitEncodedInt() is > 0 and var top ? top - 1 : null,
        Choices = reader.Read7BitEncodedInt(),
        IgnoreEos = reader.ReadBoolean(),
        Constraint = reader.ReadOptional(r => new OutputConstraint((ConstraintKind)r.Read7BitEncodedInt(), r.ReadList(text => text.ReadString()))),
    };
}

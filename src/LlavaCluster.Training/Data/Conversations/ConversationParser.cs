using System.Text.Json;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>
/// Reads a record of LLaVA's data files, <c>{id, image, conversations: [{from: human | gpt, value}]}</c> with <c>&lt;image&gt;</c> where a picture stands, or of OpenAI's for
/// fine-tuning, <c>{messages: [{role, content}]}</c> with pictures as data URLs.
/// </summary>
internal static class ConversationParser
{
    private const string Marker = "<image>";
    private const int LongestId = 200;

    // JSON's reader takes such text for well-formed until it is asked for it.
    private const string NoText = "a record must be well-formed Unicode; it has half a surrogate pair, or bytes that are not UTF-8.";

    /// <summary>The conversation, or the record's id and what is wrong with it.</summary>
    public static ParsedRecord Parse(ReadOnlyMemory<byte> json, int maxPictures)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                return ParsedRecord.Refused(null, BadRecordKind.NotAnObject, $"a record must be a JSON object; was {root.ValueKind}.");
            }

            var id = root.TryGetProperty("id", out var given) ? given.ValueKind == JsonValueKind.String ? given.GetString() : given.GetRawText() : null;
            id = id is { Length: > LongestId } ? id[..LongestId] : id;
            try
            {
                var conversation = root.TryGetProperty("messages", out _) ? OpenAiRecord.Read(id, root) : Llava(id, root);
                return conversation.Pictures.Count > maxPictures
                    ? ParsedRecord.Refused(id, BadRecordKind.TooLarge, $"a record must have at most {maxPictures} pictures; had {conversation.Pictures.Count}.")
                    : new ParsedRecord(id, conversation, null, "");
            }
            catch (RecordFault fault)
            {
                return ParsedRecord.Refused(id, fault.Kind, fault.Message);
            }
            catch (InvalidOperationException)
            {
                return ParsedRecord.Refused(id, BadRecordKind.Malformed, NoText);
            }
        }
        catch (InvalidOperationException)
        {
            return ParsedRecord.Refused(null, BadRecordKind.Malformed, NoText);
        }
        catch (JsonException exception)
        {
            return ParsedRecord.Refused(null, BadRecordKind.NotAnObject, $"a record must be JSON; byte {exception.BytePositionInLine} of its line {exception.LineNumber} is not.");
        }
    }

    private static Conversation Llava(string? id, JsonElement root)
    {
        List<PictureReference> pictures = [.. Names(root, "image"), .. Names(root, "images")];
        if (!root.TryGetProperty("conversations", out var turns) || turns.ValueKind != JsonValueKind.Array)
        {
            throw new RecordFault(BadRecordKind.Malformed, "a record must have conversations, an array, or messages.");
        }

        var builder = new ConversationBuilder();
        foreach (var turn in turns.EnumerateArray())
        {
            var (from, value) = (RecordFault.Text(turn, "from", "a turn"), RecordFault.Text(turn, "value", "a turn"));
            switch (from)
            {
                case "human" or "user":
                    builder.Ask(value.Replace(Marker, "", StringComparison.Ordinal).Trim(), (value.Length - value.Replace(Marker, "", StringComparison.Ordinal).Length) / Marker.Length);
                    break;
                case "gpt" or "assistant":
                    builder.Answer(value);
                    break;
                case "system":
                    builder.Instruct(value);
                    break;
                default:
                    throw new RecordFault(BadRecordKind.UnknownRole, $"from must be human, gpt or system; was \"{RecordFault.Short(from)}\".");
            }
        }

        return builder.Finish(id, pictures);
    }

    private static IEnumerable<PictureReference> Names(JsonElement root, string field)
    {
        if (!root.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => [new PictureReference(value.GetString(), null)],
            JsonValueKind.Array when value.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String) => [.. value.EnumerateArray().Select(name => new PictureReference(name.GetString(), null))],
            _ => throw new RecordFault(BadRecordKind.Malformed, $"{field} must be a name or an array of names; was {value.ValueKind}."),
        };
    }
}

/// <summary>What came of a record.</summary>
/// <param name="Conversation">Null where it is refused.</param>
internal sealed record ParsedRecord(string? Id, Conversation? Conversation, BadRecordKind? Kind, string Reason)
{
    public static ParsedRecord Refused(string? id, BadRecordKind kind, string reason) => new(id, null, kind, reason);
}

/// <summary>Ends the reading of a record; never leaves the parser.</summary>
internal sealed class RecordFault(BadRecordKind kind, string reason) : Exception(reason)
{
    private const int Longest = 60;

    public BadRecordKind Kind { get; } = kind;

    public static string Text(JsonElement holder, string field, string what) =>
        holder.ValueKind == JsonValueKind.Object && holder.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new RecordFault(BadRecordKind.Malformed, $"{what} must be an object whose {field} is a string.");

    /// <summary>Text of a stranger's file, fit for a message.</summary>
    public static string Short(string text)
    {
        var cut = text.Length > Longest ? text[..Longest] + "..." : text;
        return string.Concat(cut.Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character));
    }
}

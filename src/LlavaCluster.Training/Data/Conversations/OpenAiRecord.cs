using System.Text;
using System.Text.Json;

namespace LlavaCluster.Training.Data.Conversations;

/// <summary>A record in the format of OpenAI's fine-tuning with pictures (platform.openai.com, Vision fine-tuning).</summary>
internal static class OpenAiRecord
{
    private const string DataScheme = "data:";
    private const string Base64 = ";base64,";

    public static Conversation Read(string? id, JsonElement root)
    {
        var messages = root.GetProperty("messages");
        if (messages.ValueKind != JsonValueKind.Array)
        {
            throw new RecordFault(BadRecordKind.Malformed, $"messages must be an array; was {messages.ValueKind}.");
        }

        var (builder, pictures) = (new ConversationBuilder(), new List<PictureReference>());
        foreach (var message in messages.EnumerateArray())
        {
            var role = RecordFault.Text(message, "role", "a message");
            var before = pictures.Count;
            var text = Content(message, pictures);
            var own = pictures.Count - before;
            if (own > 0 && role != "user")
            {
                throw new RecordFault(BadRecordKind.Malformed, $"only a user's message may have pictures; one of {RecordFault.Short(role)} has {own}.");
            }

            switch (role)
            {
                case "user":
                    builder.Ask(text.Trim(), own);
                    break;
                case "assistant":
                    RequireWeight(message);
                    builder.Answer(text);
                    break;
                case "system" or "developer":
                    builder.Instruct(text);
                    break;
                default:
                    throw new RecordFault(BadRecordKind.UnknownRole, $"role must be system, user or assistant; was \"{RecordFault.Short(role)}\".");
            }
        }

        return builder.Finish(id, pictures);
    }

    private static string Content(JsonElement message, List<PictureReference> pictures)
    {
        if (!message.TryGetProperty("content", out var content) || content.ValueKind is not (JsonValueKind.String or JsonValueKind.Array))
        {
            throw new RecordFault(BadRecordKind.Malformed, "a message must have content, a string or an array of parts.");
        }

        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString()!;
        }

        var text = new StringBuilder();
        foreach (var part in content.EnumerateArray())
        {
            switch (RecordFault.Text(part, "type", "a part"))
            {
                case "text":
                    text.Append(text.Length > 0 ? "\n" : "").Append(RecordFault.Text(part, "text", "a part of text"));
                    break;
                case "image_url":
                    pictures.Add(new PictureReference(null, Bytes(part)));
                    break;
                case var other:
                    throw new RecordFault(BadRecordKind.Malformed, $"a part's type must be text or image_url; was \"{RecordFault.Short(other)}\".");
            }
        }

        return text.ToString();
    }

    private static byte[] Bytes(JsonElement part)
    {
        var url = part.TryGetProperty("image_url", out var holder) ? RecordFault.Text(holder, "url", "image_url") : throw new RecordFault(BadRecordKind.Malformed, "a part of type image_url must have image_url.");
        var comma = url.IndexOf(Base64, StringComparison.Ordinal);
        if (!url.StartsWith(DataScheme, StringComparison.Ordinal) || comma < 0)
        {
            throw new RecordFault(BadRecordKind.MissingPicture, $"a picture must be a data: URL in base64; was \"{RecordFault.Short(url)}\".");
        }

        try
        {
            return Convert.FromBase64String(url[(comma + Base64.Length)..]);
        }
        catch (FormatException)
        {
            throw new RecordFault(BadRecordKind.BrokenPicture, "a picture's data: URL must be base64; it is not.");
        }
    }

    // Answers of weight 0 would have to be left unlearned; taking them for learned would be another training.
    private static void RequireWeight(JsonElement message)
    {
        if (message.TryGetProperty("weight", out var weight) && !(weight.ValueKind == JsonValueKind.Number && weight.GetDouble() == 1))
        {
            throw new RecordFault(BadRecordKind.Malformed, $"weight must be 1 or absent; was {RecordFault.Short(weight.GetRawText())}.");
        }
    }
}

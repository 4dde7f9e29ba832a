using System.Text.Json;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Http.Chat;

/// <summary>The body of POST /v1/chat/completions.</summary>
internal sealed record ChatCompletionRequest(RawChatRequest Chat, bool Stream, bool IncludeUsage)
{
    public static ChatCompletionRequest Read(JsonElement element, FieldChecks checks)
    {
        var body = new JsonField(element, "", checks);
        if (!body.IsObject())
        {
            return new ChatCompletionRequest(new RawChatRequest(), false, false);
        }

        var options = OptionFields.Read(body, body.Has("max_completion_tokens") ? "max_completion_tokens" : "max_tokens");
        if (body.TryObject("response_format", out var format) && OptionFields.Format(format, "json_schema") is { } constraint)
        {
            options = options with { Constraints = options.Constraints.Add(constraint) };
        }

        OptionFields.RefuseUnable(body);
        var chat = new RawChatRequest
        {
            Model = body.Text("model"),
            Messages = [.. body.Items("messages").Select(ReadMessage).OfType<RawMessage>()],
            Options = options with { Logprobs = body.Flag("logprobs") ?? false, IgnoreEos = body.Flag("ignore_eos") ?? false },
        };
        var usage = body.TryObject("stream_options", out var streamOptions) && (streamOptions.Flag("include_usage") ?? false);
        return new ChatCompletionRequest(chat, body.Flag("stream") ?? false, usage);
    }

    private static RawMessage? ReadMessage(JsonField message)
    {
        if (!message.IsObject() || message.Text("role") is not { } name)
        {
            message.Fail("must have a role.");
            return null;
        }

        if (MessageFields.Role(name) is { } role)
        {
            return new RawMessage(message.Path, role, MessageFields.Content(message, ReadPart));
        }

        message.Fail($"must have the role system, developer, user or assistant; was \"{Excerpt.Of(name, 20)}\".");
        return null;
    }

    private static RawPart? ReadPart(JsonField part)
    {
        if (!part.IsObject())
        {
            return null;
        }

        switch (part.Text("type"))
        {
            case "text" when part.TryGet("text", out var text):
                return text.AsText() is { } value ? new RawPart(text.Path) { Text = value } : null;
            case "image_url" when part.TryGet("image_url", out var url):
                return ReadUrl(url);
            case "image_id" when part.TryGet("image_id", out var id):
                return id.AsText() is { } given ? new RawPart(id.Path) { ImageId = given } : null;
            default:
                part.Fail("must be of type text, image_url or image_id, and hold the field of that name.");
                return null;
        }
    }

    private static RawPart? ReadUrl(JsonField url)
    {
        // OpenAI wraps the URL in an object with its detail; several clients send it bare.
        if (url.Kind == JsonValueKind.String)
        {
            return url.AsText() is { } bare ? new RawPart(url.Path) { ImageUrl = bare } : null;
        }

        if (!url.IsObject() || !url.TryGet("url", out var inner))
        {
            url.Fail("must hold url.");
            return null;
        }

        return inner.AsText() is { } text ? new RawPart(inner.Path) { ImageUrl = text } : null;
    }
}

using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Http.Responses;

/// <summary>The body of POST /v1/responses.</summary>
internal sealed record ResponseRequest(RawChatRequest Chat)
{
    public string? Instructions { get; init; }

    public string? PreviousResponseId { get; init; }

    public string? ConversationId { get; init; }

    /// <summary>With a conversation: this answer starts the conversation anew, as a sibling of its first turn. Our extension, for regenerating.</summary>
    public bool FromStart { get; init; }

    public bool Store { get; init; } = true;

    public bool Stream { get; init; }

    public bool Background { get; init; }

    public static ResponseRequest Read(JsonElement element, FieldChecks checks)
    {
        var body = new JsonField(element, "", checks);
        if (!body.IsObject())
        {
            return new ResponseRequest(new RawChatRequest());
        }

        var options = OptionFields.Read(body, "max_output_tokens");
        if (body.TryObject("text", out var text) && text.TryObject("format", out var format) && OptionFields.Format(format, null) is { } constraint)
        {
            options = options with { Constraints = options.Constraints.Add(constraint) };
        }

        OptionFields.RefuseUnable(body);
        var request = new ResponseRequest(new RawChatRequest
        {
            Model = body.Text("model"),
            Messages = ReadInput(body),
            MessagesField = "input",
            Options = options with { Choices = null, Logprobs = options.TopLogprobs is not null },
        })
        {
            Instructions = body.Text("instructions"),
            PreviousResponseId = body.Text("previous_response_id"),
            ConversationId = ReadConversation(body),
            FromStart = body.Flag("from_start") ?? false,
            Store = body.Flag("store") ?? true,
            Stream = body.Flag("stream") ?? false,
            Background = body.Flag("background") ?? false,
        };
        if (request is { PreviousResponseId: not null, ConversationId: not null })
        {
            checks.Fail("previous_response_id", "must not be given together with conversation.");
        }

        if (request is { Store: false } and ({ PreviousResponseId: not null } or { ConversationId: not null }))
        {
            checks.Fail("store", "must be true in a conversation: its turns are what the server keeps.");
        }

        return request;
    }

    private static string? ReadConversation(JsonField body)
    {
        if (!body.TryGet("conversation", out var conversation))
        {
            return null;
        }

        return conversation.Kind == JsonValueKind.Object ? conversation.Text("id") : conversation.AsText();
    }

    private static ImmutableArray<RawMessage> ReadInput(JsonField body)
    {
        if (!body.TryGet("input", out var input))
        {
            return [];
        }

        if (input.Kind == JsonValueKind.String)
        {
            return input.AsText() is { } text ? [new RawMessage("input", ChatRole.User, [new RawPart("input") { Text = text }])] : [];
        }

        if (input.Kind == JsonValueKind.Array)
        {
            return [.. input.AsItems().Select(ReadItem).OfType<RawMessage>()];
        }

        input.WrongType("a string or an array of messages");
        return [];
    }

    private static RawMessage? ReadItem(JsonField item)
    {
        if (!item.IsObject())
        {
            return null;
        }

        if (MessageFields.Role(item.Text("role")) is { } role && item.Text("type") is (null or "message"))
        {
            return new RawMessage(item.Path, role, MessageFields.Content(item, ReadPart));
        }

        item.Fail("must be a message with the role system, developer, user or assistant.");
        return null;
    }

    private static RawPart? ReadPart(JsonField part)
    {
        switch (part.IsObject() ? part.Text("type") : null)
        {
            case "input_text" or "output_text" or "text" when part.TryGet("text", out var text):
                return text.AsText() is { } value ? new RawPart(text.Path) { Text = value } : null;
            case "input_image" when part.TryGet("image_url", out var url):
                return url.AsText() is { } address ? new RawPart(url.Path) { ImageUrl = address } : null;
            case "input_image" when part.TryGet("file_id", out var id):
                return id.AsText() is { } given ? new RawPart(id.Path) { ImageId = given } : null;
            default:
                part.Fail("must be input_text with text, or input_image with image_url or file_id.");
                return null;
        }
    }
}

using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Http;

/// <summary>What a message of chat completions and an input item of responses have in common.</summary>
internal static class MessageFields
{
    /// <summary>Null for a name that is no role.</summary>
    public static ChatRole? Role(string? name) => name switch
    {
        "system" or "developer" => ChatRole.System,
        "user" => ChatRole.User,
        "assistant" => ChatRole.Assistant,
        _ => null,
    };

    /// <summary>The message's content, a text or parts as the protocol names them; empty where it is absent or wrong.</summary>
    public static ImmutableArray<RawPart> Content(JsonField message, Func<JsonField, RawPart?> readPart)
    {
        if (!message.TryGet("content", out var content))
        {
            return [];
        }

        if (content.Kind == JsonValueKind.String)
        {
            return content.AsText() is { } text ? [new RawPart(content.Path) { Text = text }] : [];
        }

        if (content.Kind == JsonValueKind.Array)
        {
            return [.. content.AsItems().Select(readPart).OfType<RawPart>()];
        }

        content.WrongType("a string or an array of parts");
        return [];
    }
}

using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Http.Chat;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Http.Responses;

/// <summary>A turn as OpenAI's response object.</summary>
internal static class ResponseJson
{
    /// <param name="text">What the answer says so far.</param>
    /// <param name="finish">How it ended; null while it runs.</param>
    public static JsonObject Response(ConversationKey key, TurnRequest turn, DateTimeOffset createdAt, string text, FinishReason? finish, TokenUsage? usage, ChatFailure? failure)
    {
        var status = Status(finish, failure);
        return new JsonObject
        {
            ["id"] = TurnIds.Response(key, turn.TurnId),
            ["object"] = "response",
            ["created_at"] = createdAt.ToUnixTimeSeconds(),
            ["status"] = status,
            ["error"] = failure is null ? null : new JsonObject { ["code"] = FailureTable.Of(failure.Kind).Code, ["message"] = failure.Message },
            ["incomplete_details"] = status == "incomplete" ? new JsonObject { ["reason"] = "max_output_tokens" } : null,
            ["instructions"] = Instructions(turn),
            ["max_output_tokens"] = turn.Options.MaxTokens,
            ["model"] = turn.Model,
            ["output"] = status == "in_progress" ? new JsonArray() : new JsonArray(Message(turn.TurnId, text, status)),
            ["parallel_tool_calls"] = false,
            ["previous_response_id"] = turn.Parent is { } parent ? TurnIds.Response(key, parent) : null,
            ["conversation"] = turn.Transient ? null : new JsonObject { ["id"] = ResponseTargets.ConversationId(key) },
            ["store"] = !turn.Transient,
            ["temperature"] = turn.Options.Temperature,
            ["top_p"] = turn.Options.TopP,
            ["text"] = new JsonObject { ["format"] = Format(turn.Options.Constraint) },
            ["tool_choice"] = "none",
            ["tools"] = new JsonArray(),
            ["truncation"] = "disabled",
            // OpenAI's object has no field for it, and metadata is where clients look for what an API adds.
            ["metadata"] = turn.Adapter is { } version ? new JsonObject { ["system_fingerprint"] = version.Value } : new JsonObject(),
            ["usage"] = usage is null ? null : Usage(usage),
        };
    }

    public static JsonObject OfView(ConversationKey key, TurnView view)
    {
        var answer = view.Answers is [var first, ..] ? first : new AnswerView("", null);
        return Response(key, view.Request, view.BegunAt, answer.Text, view.Completed ? answer.Finish ?? FinishReason.Stop : null, view.Usage, view.Failure);
    }

    public static JsonObject Message(Guid turn, string text, string status) => new()
    {
        ["id"] = MessageId(turn),
        ["type"] = "message",
        ["status"] = status is "in_progress" or "completed" ? status : "incomplete",
        ["role"] = "assistant",
        ["content"] = status == "in_progress" ? new JsonArray() : new JsonArray(Part(text)),
    };

    public static JsonObject Part(string text) => new() { ["type"] = "output_text", ["text"] = text, ["annotations"] = new JsonArray(), ["logprobs"] = new JsonArray() };

    public static JsonArray Logprobs(TurnEvent step)
    {
        var tokens = new JsonArray();
        foreach (var token in CompletionMapping.Logprobs(step.Logprobs)?.Content ?? [])
        {
            tokens.Add(System.Text.Json.JsonSerializer.SerializeToNode(token, Json.Options));
        }

        return tokens;
    }

    /// <summary>A failure that names a field names it as this protocol does.</summary>
    public static ChatFailure Named(ChatFailure failure) => failure with
    {
        Field = failure.Field switch
        {
            ConstraintFields.JsonSchema => "text.format",
            "messages" => "input",
            _ => CompletionMapping.Named(failure).Field,
        },
    };

    public static string MessageId(Guid turn) => $"msg_{turn:n}";

    public static string Status(FinishReason? finish, ChatFailure? failure) => (finish, failure) switch
    {
        (_, not null) => "failed",
        (null, _) => "in_progress",
        (FinishReason.Length, _) => "incomplete",
        (FinishReason.Cancelled, _) => "cancelled",
        _ => "completed",
    };

    private static string? Instructions(TurnRequest turn) =>
        turn.Messages is [{ Role: ChatRole.System } first, ..] ? string.Concat(first.Parts.Select(part => part.Text)) : null;

    private static JsonObject Format(OutputConstraint? constraint) => constraint switch
    {
        { Kind: ConstraintKind.JsonSchema, Texts: [""] } => new JsonObject { ["type"] = "json_object" },
        { Kind: ConstraintKind.JsonSchema, Texts: [var schema] } => new JsonObject { ["type"] = "json_schema", ["name"] = "schema", ["schema"] = JsonNode.Parse(schema) },
        _ => new JsonObject { ["type"] = "text" },
    };

    private static JsonObject Usage(TokenUsage usage) => new()
    {
        ["input_tokens"] = usage.PromptTokens,
        ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = usage.CachedTokens, ["image_tokens"] = usage.ImageTokens },
        ["output_tokens"] = usage.CompletionTokens,
        ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = 0 },
        ["total_tokens"] = usage.PromptTokens + usage.CompletionTokens,
    };
}

using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Http.Responses;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Conversations;

/// <summary>/v1/conversations: naming, reading and deleting what /v1/responses writes.</summary>
internal sealed class ConversationsEndpoint(BodyReader bodies, TurnRunner turns, TimeProvider time)
{
    private static readonly ChatFailure Unknown = ResumePoint.Unknown("conversation");

    /// <summary>Makes an empty conversation; its body may be absent. What it cannot keep it refuses.</summary>
    public async Task CreateAsync(HttpContext context)
    {
        var checks = new FieldChecks();
        if (context.Request.ContentLength is not 0 && context.Request.ContentType is not null)
        {
            using var body = await bodies.ReadAsync(context);
            if (body is null)
            {
                return;
            }

            CheckNew(new JsonField(body.RootElement, "", checks));
        }

        var key = ConversationKey.New(context.Caller().Tenant);
        var failure = checks.Failure ?? await turns.CreateAsync(key, context.RequestAborted);
        await (failure is null ? WriteAsync(context, Conversation(key, time.GetUtcNow())) : ErrorWriter.WriteAsync(context, failure));
    }

    public Task GetAsync(HttpContext context, string id) => WithHistoryAsync(context, id, (key, history) => Conversation(key, history.CreatedAt));

    /// <summary>The messages of the branch that ends with the latest turn, oldest first.</summary>
    public Task ItemsAsync(HttpContext context, string id) => WithHistoryAsync(context, id, (_, history) =>
    {
        var items = new JsonArray();
        foreach (var view in Branch(history))
        {
            AddItems(items, view);
        }

        return new JsonObject
        {
            ["object"] = "list",
            ["data"] = items,
            ["first_id"] = items.Count > 0 ? items[0]!["id"]!.DeepClone() : null,
            ["last_id"] = items.Count > 0 ? items[^1]!["id"]!.DeepClone() : null,
            ["has_more"] = false,
        };
    });

    /// <summary>Every turn with its parent, in the order they began: the whole tree, for a page that shows branches.</summary>
    public Task TurnsAsync(HttpContext context, string id) => WithHistoryAsync(context, id, (key, history) =>
    {
        var list = new JsonArray();
        foreach (var view in history.Turns)
        {
            var input = new JsonArray();
            foreach (var message in view.Request.Messages)
            {
                input.Add(InputItem(view, message, input.Count));
            }

            list.Add(new JsonObject { ["response"] = ResponseJson.OfView(key, view), ["input"] = input, ["text"] = view.Answers is [var answer, ..] ? answer.Text : "" });
        }

        return new JsonObject { ["object"] = "list", ["data"] = list };
    });

    public async Task DeleteAsync(HttpContext context, string id)
    {
        if (!ResponseTargets.TryParseConversation(context.Caller().Tenant, id, out var key))
        {
            await ErrorWriter.WriteAsync(context, Unknown);
            return;
        }

        var asked = await turns.DeleteAsync(key, context.RequestAborted);
        var failed = asked.IsFailure(out var failure, out var deleted);
        await (failed || !deleted
            ? ErrorWriter.WriteAsync(context, failure ?? Unknown)
            : WriteAsync(context, new JsonObject { ["id"] = id, ["object"] = "conversation.deleted", ["deleted"] = true }));
    }

    private static JsonObject Conversation(ConversationKey key, DateTimeOffset createdAt) => new()
    {
        ["id"] = ResponseTargets.ConversationId(key),
        ["object"] = "conversation",
        ["created_at"] = createdAt.ToUnixTimeSeconds(),
        ["metadata"] = new JsonObject(),
    };

    private static void CheckNew(JsonField body)
    {
        if (!body.IsObject())
        {
            return;
        }

        if (body.Items("items") is { Length: > 0 } items)
        {
            body.Fail("items", $"must be empty: a message enters a conversation as the input of a response; held {items.Length}.");
        }

        if (body.TryObject("metadata", out var metadata) && metadata.Properties().Any())
        {
            body.Fail("metadata", "must be empty: this server does not keep metadata.");
        }
    }

    private static List<TurnView> Branch(ConversationHistory history)
    {
        var byId = history.Turns.ToDictionary(view => view.Request.TurnId);
        var branch = new List<TurnView>();
        for (var at = history.Turns.LastOrDefault(); at is not null; at = at.Request.Parent is { } parent ? byId.GetValueOrDefault(parent) : null)
        {
            branch.Insert(0, at);
        }

        return branch;
    }

    private static void AddItems(JsonArray items, TurnView view)
    {
        var index = 0;
        foreach (var message in view.Request.Messages)
        {
            items.Add(InputItem(view, message, index++));
        }

        if (view.Answers is [var answer, ..])
        {
            items.Add(ResponseJson.Message(view.Request.TurnId, answer.Text, view.Completed ? "completed" : "incomplete"));
        }
    }

    private static JsonObject InputItem(TurnView view, ChatMessage message, int index)
    {
        var content = new JsonArray();
        foreach (var part in message.Parts)
        {
            content.Add(part.Image is { } image
                ? new JsonObject { ["type"] = "input_image", ["file_id"] = $"file-{image.Value}", ["detail"] = "auto" }
                : new JsonObject { ["type"] = message.Role == ChatRole.Assistant ? "output_text" : "input_text", ["text"] = part.Text });
        }

        return new JsonObject
        {
            ["id"] = $"{ResponseJson.MessageId(view.Request.TurnId)}_{index}",
            ["type"] = "message",
            ["status"] = "completed",
            ["role"] = message.Role.ToString().ToLowerInvariant(),
            ["content"] = content,
        };
    }

    private static Task WriteAsync(HttpContext context, JsonObject body) => context.Response.WriteAsJsonAsync(body, Json.Options, context.RequestAborted);

    private async Task WithHistoryAsync(HttpContext context, string id, Func<ConversationKey, ConversationHistory, JsonObject> write)
    {
        if (!ResponseTargets.TryParseConversation(context.Caller().Tenant, id, out var key))
        {
            await ErrorWriter.WriteAsync(context, Unknown);
            return;
        }

        var asked = await turns.HistoryAsync(key, Unknown, context.RequestAborted);
        await (asked.IsFailure(out var failure, out var history) ? ErrorWriter.WriteAsync(context, failure) : WriteAsync(context, write(key, history)));
    }
}

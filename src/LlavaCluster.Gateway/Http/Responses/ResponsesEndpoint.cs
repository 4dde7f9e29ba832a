using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Responses;

/// <summary>/v1/responses: a response is a turn of a conversation that the server keeps, and its id names both.</summary>
internal sealed class ResponsesEndpoint(BodyReader bodies, RequestValidator validator, ResponseTargets targets, ResponseStream streams, StatelessChat chat, TurnRunner turns, TimeProvider time)
{
    public async Task PostAsync(HttpContext context)
    {
        using var body = await bodies.ReadAsync(context);
        if (body is null)
        {
            return;
        }

        var checks = new FieldChecks();
        var request = ResponseRequest.Read(body.RootElement, checks);
        var begun = await BeginAsync(context, request, checks);
        if (begun.IsFailure(out var failure, out var response))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        var (key, turn) = (response.Key, response.Turn);
        var events = turn.Transient
            ? chat.FollowAsync(new StatelessTurn(key, turn.TurnId, ClientOwned: false), mayResume: request.Stream, context.RequestAborted)
            : turns.FollowAsync(key, turn.TurnId, 0, context.RequestAborted);
        if (request.Stream)
        {
            await streams.WriteAsync(context, key, turn, time.GetUtcNow(), -1, events);
        }
        else if (request.Background)
        {
            await WriteAsync(context, ResponseJson.Response(key, turn, time.GetUtcNow(), "", null, null, null));
        }
        else
        {
            await WriteWholeAsync(context, key, turn, events);
        }
    }

    /// <summary>GET /v1/responses/{id}; with <c>stream=true</c> the events after <c>starting_after</c>, to the answer's end.</summary>
    public async Task GetAsync(HttpContext context, string id)
    {
        var checks = new FieldChecks();
        var after = ResumePoint.Read(context.Request, "starting_after", checks);
        if (checks.Failure is { } failure)
        {
            await ErrorWriter.WriteAsync(context, failure);
        }
        else if (await FindAsync(context, id) is not var (key, view))
        {
            await ErrorWriter.WriteAsync(context, ResumePoint.Unknown("response"));
        }
        else if (context.Request.Query["stream"] is ["true"])
        {
            // Without the parameter even the event numbered 0 is new.
            await streams.WriteAsync(context, key, view.Request, view.BegunAt, context.Request.Query.ContainsKey("starting_after") ? after : -1);
        }
        else
        {
            await WriteAsync(context, ResponseJson.OfView(key, view));
        }
    }

    public async Task CancelAsync(HttpContext context, string id)
    {
        if (TurnIds.TryParseResponse(context.Caller().Tenant, id, out var key, out var turn))
        {
            await turns.CancelAsync(key, turn, context.RequestAborted);
        }

        if (await FindAsync(context, id) is var (found, view))
        {
            await WriteAsync(context, ResponseJson.OfView(found, view));
            return;
        }

        await ErrorWriter.WriteAsync(context, ResumePoint.Unknown("response"));
    }

    /// <summary>Deletes the conversation of a response that is its only turn; a turn that others follow or precede stays as long as they do.</summary>
    public async Task DeleteAsync(HttpContext context, string id)
    {
        var history = TurnIds.TryParseResponse(context.Caller().Tenant, id, out var key, out var turn) ? await turns.HistoryAsync(key, context.RequestAborted) : null;
        if (history is null || history.Turns.All(view => view.Request.TurnId != turn))
        {
            await ErrorWriter.WriteAsync(context, ResumePoint.Unknown("response"));
            return;
        }

        if (history.Turns.Length > 1)
        {
            await ErrorWriter.WriteAsync(context, new ChatFailure(ChatFailureKind.Conflict, $"The response is one of {history.Turns.Length} turns: delete its conversation, {ResponseTargets.ConversationId(key)}.", "id"));
            return;
        }

        await turns.DeleteAsync(key, context.RequestAborted);
        await WriteAsync(context, new JsonObject { ["id"] = id, ["object"] = "response", ["deleted"] = true });
    }

    private static Task WriteAsync(HttpContext context, JsonObject body) => context.Response.WriteAsJsonAsync(body, Json.Options, context.RequestAborted);

    private async Task<Outcome<Begun>> BeginAsync(HttpContext context, ResponseRequest request, FieldChecks checks)
    {
        if (checks.Failure is not null)
        {
            return checks.Failure;
        }

        var tenant = context.Caller().Tenant;
        Guid? clientTurn = context.Request.Headers["Idempotency-Key"] is [{ Length: > 0 } key] ? TurnIds.FromClient(key) : null;
        var found = await targets.FindAsync(tenant, request, clientTurn, context.RequestAborted);
        if (found.IsFailure(out var failure, out var target))
        {
            return failure;
        }

        var raw = WithInstructions(request, target, checks) with { Continues = target.Parent is not null };
        var validated = await validator.ValidateAsync(tenant, raw, checks, context.RequestAborted);
        if (validated.IsFailure(out failure, out var valid))
        {
            return failure;
        }

        var id = clientTurn ?? TurnIds.New();
        var home = request.Store ? target.Key : TurnIds.Stateless(tenant, id);
        var turn = TurnRequests.Make(valid, id, target.Parent, null, transient: !request.Store, request.Store ? home.ToString() : null);
        var begun = await turns.BeginAsync(home, turn, context.RequestAborted);
        return begun.Failure is { } refusal ? refusal : new Begun(home, turn);
    }

    /// <summary>Instructions are the first turn's system message. Clients that repeat them with every turn say nothing new; other ones would contradict it.</summary>
    private static RawChatRequest WithInstructions(ResponseRequest request, ResponseTarget target, FieldChecks checks)
    {
        if (string.IsNullOrEmpty(request.Instructions))
        {
            return request.Chat;
        }

        if (target.Parent is null)
        {
            var system = new RawMessage("instructions", ChatRole.System, [new RawPart("instructions") { Text = request.Instructions }]);
            return request.Chat with { Messages = request.Chat.Messages.Insert(0, system) };
        }

        var root = target.Root?.Request.Messages[0];
        if (root is not { Role: ChatRole.System } || string.Concat(root.Parts.Select(part => part.Text)) != request.Instructions)
        {
            checks.Fail("instructions", "must be given with a conversation's first turn and stay the same.");
        }

        return request.Chat;
    }

    private async Task<(ConversationKey Key, TurnView View)?> FindAsync(HttpContext context, string id)
    {
        if (!TurnIds.TryParseResponse(context.Caller().Tenant, id, out var key, out var turn))
        {
            return null;
        }

        var history = await turns.HistoryAsync(key, context.RequestAborted);
        return history?.Turns.FirstOrDefault(view => view.Request.TurnId == turn) is { } found ? (key, found) : null;
    }

    private async Task WriteWholeAsync(HttpContext context, ConversationKey key, TurnRequest turn, IAsyncEnumerable<TurnEvent> events)
    {
        var answer = new AnswerCollector(1);
        await foreach (var step in events.WithCancellation(context.RequestAborted))
        {
            answer.Add(step);
        }

        if (answer.Failure is { } failure)
        {
            await ErrorWriter.WriteAsync(context, ResponseJson.Named(failure));
            return;
        }

        var said = answer.Answers[0];
        await WriteAsync(context, ResponseJson.Response(key, turn, time.GetUtcNow(), said.Text, said.Finish ?? FinishReason.Stop, answer.Usage, null));
    }

    private sealed record Begun(ConversationKey Key, TurnRequest Turn);
}

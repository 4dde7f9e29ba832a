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
internal sealed class ResponsesEndpoint(BodyReader bodies, ResponseBeginning beginning, ResponseStream streams, TurnRunner turns, TimeProvider time)
{
    private static readonly ChatFailure Unknown = ResumePoint.Unknown("response");

    public async Task PostAsync(HttpContext context)
    {
        using var body = await bodies.ReadAsync(context);
        if (body is null)
        {
            return;
        }

        var checks = new FieldChecks();
        var request = ResponseRequest.Read(body.RootElement, checks);
        Guid? clientTurn = context.Request.Headers["Idempotency-Key"] is [{ Length: > 0 } key] ? TurnIds.FromClient(key) : null;
        var begun = await beginning.BeginAsync(context.Caller().Tenant, request, clientTurn, checks, context.RequestAborted);
        if (begun.IsFailure(out var failure, out var response))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        using var operation = response.Operation;
        if (request.Stream)
        {
            await streams.WriteAsync(context, response, time.GetUtcNow(), -1);
        }
        else if (request.Background)
        {
            await WriteAsync(context, ResponseJson.Response(response.Key, response.Turn, time.GetUtcNow(), "", null, null, null));
        }
        else
        {
            await WriteWholeAsync(context, response);
        }
    }

    /// <summary>GET /v1/responses/{id}; with <c>stream=true</c> the events after <c>Last-Event-ID</c> or <c>starting_after</c>, to the answer's end.</summary>
    public async Task GetAsync(HttpContext context, string id)
    {
        var checks = new FieldChecks();
        var after = ResumePoint.Read(context.Request, "starting_after", checks);
        if (checks.Failure is { } wrong)
        {
            await ErrorWriter.WriteAsync(context, wrong);
            return;
        }

        var found = await FindAsync(context, id);
        if (found.IsFailure(out var failure, out var known))
        {
            await ErrorWriter.WriteAsync(context, failure);
        }
        else if (context.Request.Query["stream"] is ["true"])
        {
            // Where nothing was seen, even the event numbered 0 is new.
            await streams.WriteAsync(context, new BegunResponse(known.Key, known.View.Request, null), known.View.BegunAt, after ?? -1);
        }
        else
        {
            await WriteAsync(context, ResponseJson.OfView(known.Key, known.View));
        }
    }

    public async Task CancelAsync(HttpContext context, string id)
    {
        if (!TurnIds.TryParseResponse(context.Caller().Tenant, id, out var key, out var turn))
        {
            await ErrorWriter.WriteAsync(context, Unknown);
            return;
        }

        var cancelled = await turns.CancelAsync(key, turn, context.RequestAborted);
        if (cancelled.IsFailure(out var failure, out _))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        var found = await FindAsync(context, id);
        await (found.IsFailure(out failure, out var known) ? ErrorWriter.WriteAsync(context, failure) : WriteAsync(context, ResponseJson.OfView(known.Key, known.View)));
    }

    /// <summary>Deletes the conversation of a response that is its only turn; a turn that others follow or precede stays as long as they do.</summary>
    public async Task DeleteAsync(HttpContext context, string id)
    {
        var deleted = await DeleteAsync(context.Caller().Tenant, id, context.RequestAborted);
        await (deleted is { } failure
            ? ErrorWriter.WriteAsync(context, failure)
            : WriteAsync(context, new JsonObject { ["id"] = id, ["object"] = "response", ["deleted"] = true }));
    }

    private static Task WriteAsync(HttpContext context, JsonObject body) => context.Response.WriteAsJsonAsync(body, Json.Options, context.RequestAborted);

    /// <returns>Null if the response is gone.</returns>
    private async Task<ChatFailure?> DeleteAsync(TenantId tenant, string id, CancellationToken cancellationToken)
    {
        if (!TurnIds.TryParseResponse(tenant, id, out var key, out var turn))
        {
            return Unknown;
        }

        var asked = await turns.HistoryAsync(key, Unknown, cancellationToken);
        if (asked.IsFailure(out var failure, out var history))
        {
            return failure;
        }

        if (history.Turns.All(view => view.Request.TurnId != turn))
        {
            return Unknown;
        }

        if (history.Turns.Length > 1)
        {
            return new ChatFailure(ChatFailureKind.Conflict, $"The response is one of {history.Turns.Length} turns: delete its conversation, {ResponseTargets.ConversationId(key)}.", "id");
        }

        var deleted = await turns.DeleteAsync(key, cancellationToken);
        return deleted.IsFailure(out failure, out _) ? failure : null;
    }

    private async Task<Outcome<Known>> FindAsync(HttpContext context, string id)
    {
        if (!TurnIds.TryParseResponse(context.Caller().Tenant, id, out var key, out var turn))
        {
            return Unknown;
        }

        var found = await turns.FindAsync(key, turn, Unknown, context.RequestAborted);
        return found.IsFailure(out var failure, out var view) ? failure : new Known(key, view);
    }

    private async Task WriteWholeAsync(HttpContext context, BegunResponse response)
    {
        var answer = new AnswerCollector(1);
        await foreach (var step in streams.FollowAsync(response, mayResume: false, context.RequestAborted))
        {
            answer.Add(step);
        }

        if (answer.Failure is { } failure)
        {
            await ErrorWriter.WriteAsync(context, ResponseJson.Named(failure));
            return;
        }

        var said = answer.Answers[0];
        await WriteAsync(context, ResponseJson.Response(response.Key, response.Turn, time.GetUtcNow(), said.Text, said.Finish ?? FinishReason.Stop, answer.Usage, null));
    }

    private sealed record Known(ConversationKey Key, TurnView View);
}

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Chat;

/// <summary>POST /v1/chat/completions, and the stream that goes on where a lost one stopped.</summary>
internal sealed class ChatCompletionsEndpoint(
    BodyReader bodies, RequestValidator validator, StatelessChat chat, CompletionStream streams, GatewayInstruments instruments)
{
    private const string IdempotencyKey = "Idempotency-Key";

    public async Task PostAsync(HttpContext context)
    {
        using var body = await bodies.ReadAsync(context);
        if (body is null)
        {
            return;
        }

        var checks = new FieldChecks();
        var request = ChatCompletionRequest.Read(body.RootElement, checks);
        var tenant = context.Caller().Tenant;
        var validated = await validator.ValidateAsync(tenant, request.Chat, checks, context.RequestAborted);
        if (validated.IsFailure(out var failure, out var valid))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        using var operation = instruments.Begin(valid.Card.Name, valid.Options);
        Guid? clientTurn = context.Request.Headers[IdempotencyKey] is [{ Length: > 0 } key] ? TurnIds.FromClient(key) : null;
        var begun = await chat.BeginAsync(tenant, valid, clientTurn, null, context.RequestAborted);
        if (begun.IsFailure(out failure, out var turn))
        {
            operation.Fail(failure);
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        if (request.Stream)
        {
            var head = new StreamHead(turn, request.IncludeUsage, After: 0);
            await streams.WriteAsync(context, head, operation);
            return;
        }

        await WriteWholeAsync(context, turn, valid, operation);
    }

    /// <summary>GET /v1/chat/completions/{id}/events: the events after Last-Event-ID (or ?after=) of an answer of this tenant.</summary>
    public async Task ResumeAsync(HttpContext context, string id)
    {
        var checks = new FieldChecks();
        var after = ResumePoint.Read(context.Request, "after", checks);
        var unknown = ResumePoint.Unknown("completion");
        if (!TurnIds.TryParseCompletion(id, out var named) || checks.Failure is not null)
        {
            await ErrorWriter.WriteAsync(context, checks.Failure ?? unknown);
            return;
        }

        var found = await chat.FindAsync(context.Caller().Tenant, named, unknown, context.RequestAborted);
        if (found.IsFailure(out var failure, out var turn))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        var head = new StreamHead(turn, context.Request.Query["include_usage"] is ["true"], after ?? 0);
        await streams.WriteAsync(context, head, null);
    }

    private async Task WriteWholeAsync(HttpContext context, StatelessTurn turn, ValidChatRequest valid, ChatOperation operation)
    {
        var completed = await chat.CompleteAsync(turn, valid.Options.Choices, context.RequestAborted);
        if (completed.IsFailure(out var failure, out var answer))
        {
            operation.Fail(failure);
            await ErrorWriter.WriteAsync(context, CompletionMapping.Named(failure));
            return;
        }

        operation.Complete(answer.Usage);
        var choices = ImmutableArray.CreateBuilder<CompletionChoice>(answer.Answers.Length);
        foreach (var choice in answer.Answers)
        {
            choices.Add(new CompletionChoice(
                choices.Count, new CompletionMessage(choice.Text), CompletionMapping.Logprobs(choice.Logprobs), CompletionMapping.FinishName(choice.Finish)));
        }

        var usage = answer.Usage is { } used ? CompletionMapping.Usage(used) : null;
        var completion = new ChatCompletion(TurnIds.Completion(turn.TurnId), streams.CreatedAt(turn.TurnId), valid.ModelName, choices.DrainToImmutable(), usage) { SystemFingerprint = turn.Request.Adapter?.Value };
        await context.Response.WriteAsJsonAsync(completion, Json.Options, context.RequestAborted);
    }
}

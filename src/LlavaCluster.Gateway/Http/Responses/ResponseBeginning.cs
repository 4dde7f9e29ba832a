using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Http.Responses;

/// <summary>A response that runs.</summary>
/// <param name="Operation">Its measurement, which the caller disposes; null in the background, where nobody sees its end.</param>
internal sealed record BegunResponse(ConversationKey Key, TurnRequest Turn, ChatOperation? Operation);

/// <summary>From the body of POST /v1/responses to a turn that has begun: in the conversation it continues, in a new one, or in one that is not kept.</summary>
internal sealed class ResponseBeginning(RequestValidator validator, ResponseTargets targets, StatelessChat chat, TurnRunner turns, GatewayInstruments instruments)
{
    /// <param name="clientTurn">The client's id for the call, if it chose one.</param>
    public async Task<Outcome<BegunResponse>> BeginAsync(TenantId tenant, ResponseRequest request, Guid? clientTurn, FieldChecks checks, CancellationToken cancellationToken)
    {
        if (checks.Failure is not null)
        {
            return checks.Failure;
        }

        var found = await targets.FindAsync(tenant, request, clientTurn, cancellationToken);
        if (found.IsFailure(out var failure, out var target))
        {
            return failure;
        }

        var raw = WithInstructions(request, target, checks) with { Continues = target.Parent is not null };
        var validated = await validator.ValidateAsync(tenant, raw, checks, cancellationToken);
        if (validated.IsFailure(out failure, out var valid))
        {
            return failure;
        }

        var operation = request is { Background: true, Stream: false } ? null : instruments.Begin(valid.Card.Name, valid.Options);
        var begun = await BeginAsync(tenant, request.Store ? target : null, valid, clientTurn, operation, cancellationToken);
        if (begun.IsFailure(out failure, out _))
        {
            operation?.Fail(failure);
            operation?.Dispose();
        }

        return begun;
    }

    /// <param name="target">Null for a response that is not kept.</param>
    private async Task<Outcome<BegunResponse>> BeginAsync(
        TenantId tenant, ResponseTarget? target, ValidChatRequest valid, Guid? clientTurn, ChatOperation? operation, CancellationToken cancellationToken)
    {
        if (target is null)
        {
            var begun = await chat.BeginAsync(tenant, valid, clientTurn, null, cancellationToken);
            return begun.IsFailure(out var failure, out var stateless) ? failure : new BegunResponse(stateless.Key, stateless.Request, operation);
        }

        var turn = TurnRequests.Kept(valid, clientTurn ?? TurnIds.New(), target.Parent, target.Key);
        var kept = await turns.BeginAsync(target.Key, turn, cancellationToken);
        return kept.IsFailure(out var refusal, out turn) ? refusal : new BegunResponse(target.Key, turn, operation);
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
}

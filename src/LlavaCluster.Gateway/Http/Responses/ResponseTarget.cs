using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Http.Responses;

/// <summary>Where a response's turn goes: the conversation and the turn it follows.</summary>
/// <param name="Root">The conversation's first turn; null where there is none yet.</param>
internal sealed record ResponseTarget(ConversationKey Key, Guid? Parent, TurnView? Root);

/// <summary>Finds the conversation that a request continues, or names a new one.</summary>
internal sealed class ResponseTargets(TurnRunner turns)
{
    private const string ConversationPrefix = "conv_";

    public static string ConversationId(ConversationKey key) => ConversationPrefix + key.Id;

    public static bool TryParseConversation(TenantId tenant, string? id, out ConversationKey key)
    {
        var named = ConversationKey.TryCreate(tenant, id is not null && id.StartsWith(ConversationPrefix, StringComparison.Ordinal) ? id[ConversationPrefix.Length..] : null, out var parsed);
        key = parsed.GetValueOrDefault();
        return named;
    }

    /// <param name="turn">The client's id of the turn, if it chose one. A call that is sent again continues what it did the first time, not itself.</param>
    public async Task<Outcome<ResponseTarget>> FindAsync(TenantId tenant, ResponseRequest request, Guid? turn, CancellationToken cancellationToken)
    {
        if (request.PreviousResponseId is { } previous)
        {
            return await AfterAsync(tenant, previous, cancellationToken);
        }

        if (request.ConversationId is { } conversation)
        {
            return await InAsync(tenant, conversation, request.FromStart, turn, cancellationToken);
        }

        return new ResponseTarget(turn is { } id ? TurnIds.BegunBy(tenant, id) : ConversationKey.New(tenant), null, null);
    }

    private async Task<Outcome<ResponseTarget>> AfterAsync(TenantId tenant, string response, CancellationToken cancellationToken)
    {
        var unknown = new ChatFailure(ChatFailureKind.NotFound, "There is no such response.", "previous_response_id");
        if (!TurnIds.TryParseResponse(tenant, response, out var key, out var parent))
        {
            return unknown;
        }

        var asked = await turns.HistoryAsync(key, unknown, cancellationToken);
        if (asked.IsFailure(out var failure, out var history))
        {
            return failure;
        }

        return history.Turns.Any(turn => turn.Request.TurnId == parent) ? new ResponseTarget(key, parent, history.Turns[0]) : unknown;
    }

    private async Task<Outcome<ResponseTarget>> InAsync(TenantId tenant, string conversation, bool fromStart, Guid? turn, CancellationToken cancellationToken)
    {
        var unknown = new ChatFailure(ChatFailureKind.NotFound, "There is no such conversation.", "conversation");
        if (!TryParseConversation(tenant, conversation, out var key))
        {
            return unknown;
        }

        var asked = await turns.HistoryAsync(key, unknown, cancellationToken);
        if (asked.IsFailure(out var failure, out var history))
        {
            return failure;
        }

        return history is { Turns: [var first, ..] } && !fromStart ? new ResponseTarget(key, Parent(history, turn), first) : new ResponseTarget(key, null, null);
    }

    private static Guid? Parent(ConversationHistory history, Guid? turn) =>
        history.Turns.FirstOrDefault(view => view.Request.TurnId == turn) is { } before ? before.Request.Parent : history.Turns[^1].Request.TurnId;
}

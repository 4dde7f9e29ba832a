using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Turns;

/// <summary>Chat that brings its own history: a turn in a conversation that exists only for it.</summary>
internal sealed class StatelessChat(TurnRunner turns, OrphanTurns orphans)
{
    /// <param name="clientTurn">The client's id for the call; the same one begins the same turn once, and its owner stops it.</param>
    public async Task<Outcome<StatelessTurn>> BeginAsync(
        TenantId tenant, ValidChatRequest request, Guid? clientTurn, DateTimeOffset? deadline, CancellationToken cancellationToken)
    {
        var id = clientTurn ?? TurnIds.New();
        var key = TurnIds.Stateless(tenant, id);
        try
        {
            var begun = await turns.BeginAsync(key, TurnRequests.Stateless(request, id, clientOwned: clientTurn is not null, deadline), cancellationToken);
            return begun.IsFailure(out var failure, out var turn) ? failure : new StatelessTurn(key, turn);
        }
        catch when (clientTurn is null)
        {
            // The caller left, or the call failed: the turn may run all the same, and nobody else knows its name.
            orphans.Abandon(key, id);
            throw;
        }
    }

    /// <summary>A turn that was begun before, by any gateway.</summary>
    /// <param name="unknown">The failure where there is none.</param>
    public async Task<Outcome<StatelessTurn>> FindAsync(TenantId tenant, Guid turn, ChatFailure unknown, CancellationToken cancellationToken)
    {
        var key = TurnIds.Stateless(tenant, turn);
        var found = await turns.FindAsync(key, turn, unknown, cancellationToken);
        return found.IsFailure(out var failure, out var view) ? failure : new StatelessTurn(key, view.Request);
    }

    /// <summary>The answer's events; leaving them early stops a turn that the gateway named, after a grace if <paramref name="mayResume"/>.</summary>
    public async IAsyncEnumerable<TurnEvent> FollowAsync(StatelessTurn turn, bool mayResume, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reading = turn.Request.ClientOwned ? null : orphans.Read(turn.Key, turn.TurnId, mayResume);
        await foreach (var step in turns.FollowAsync(turn.Key, turn.TurnId, 0, cancellationToken))
        {
            if (reading is not null)
            {
                reading.Finished = step.Completed;
            }

            yield return step;
        }
    }

    /// <summary>The whole answer. Cancelling stops the turn.</summary>
    public async Task<Outcome<AnswerCollector>> CompleteAsync(StatelessTurn turn, int choices, CancellationToken cancellationToken)
    {
        var answer = new AnswerCollector(choices);
        await foreach (var step in FollowAsync(turn, mayResume: false, cancellationToken))
        {
            answer.Add(step);
        }

        return answer.Failure is { } failure ? failure : answer;
    }
}

internal sealed record StatelessTurn(ConversationKey Key, TurnRequest Request)
{
    public Guid TurnId => Request.TurnId;
}

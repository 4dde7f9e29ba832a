using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Grains.Conversations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Turns;

/// <summary>
/// Begins and follows turns across the loss of the nodes that hold them. A conversation whose node died comes back elsewhere from its journal:
/// beginning again is safe by the turn's id, and following goes on after the last sequence number seen, so that the reader notices only a pause.
/// </summary>
internal sealed partial class TurnRunner(TenantGrains grains, LocalTurns local, GrainCalls calls, GatewayOptions options, TimeProvider time, ILogger<TurnRunner> logger)
{
    /// <summary>Null if the conversation exists now; otherwise why not.</summary>
    public async Task<ChatFailure?> CreateAsync(ConversationKey key, CancellationToken cancellationToken)
    {
        var created = await calls.RepeatAsync(() => grains.Conversation(key).CreateAsync(cancellationToken), cancellationToken);
        return created.IsFailure(out var lost, out var refusal) ? lost : refusal;
    }

    /// <summary>The turn as it has begun, with the adapter's version that answers; otherwise why it has not.</summary>
    public async Task<Outcome<TurnRequest>> BeginAsync(ConversationKey key, TurnRequest request, CancellationToken cancellationToken)
    {
        var begun = await calls.RepeatAsync(() => grains.Conversation(key).BeginTurnAsync(request, cancellationToken), cancellationToken);
        return begun.IsFailure(out var lost, out var result) ? lost : result.Failure is { } refusal ? refusal : request with { Adapter = result.Adapter };
    }

    /// <param name="unknown">The failure where there is no such conversation.</param>
    public async Task<Outcome<ConversationHistory>> HistoryAsync(ConversationKey key, ChatFailure unknown, CancellationToken cancellationToken)
    {
        var asked = await calls.RepeatAsync(() => grains.Conversation(key).HistoryAsync(cancellationToken), cancellationToken);
        return asked.IsFailure(out var lost, out var history) ? lost : history is null ? unknown : history;
    }

    /// <param name="unknown">The failure where there is no such turn.</param>
    public async Task<Outcome<TurnView>> FindAsync(ConversationKey key, Guid turn, ChatFailure unknown, CancellationToken cancellationToken)
    {
        var asked = await HistoryAsync(key, unknown, cancellationToken);
        return asked.IsFailure(out var failure, out var history) ? failure : history.Turns.FirstOrDefault(view => view.Request.TurnId == turn) is { } found ? found : unknown;
    }

    /// <summary>Stops a turn; false if it was not running.</summary>
    public Task<Outcome<bool>> CancelAsync(ConversationKey key, Guid turn, CancellationToken cancellationToken) =>
        calls.RepeatAsync(() => grains.Conversation(key).CancelAsync(turn, cancellationToken), cancellationToken);

    /// <summary>Stops a turn that lost its reader here.</summary>
    /// <param name="unlessFollowed">Leaves it be if another reader follows it, through whichever gateway.</param>
    public Task<Outcome<bool>> StopOrphanAsync(ConversationKey key, Guid turn, bool unlessFollowed, TimeSpan patience, CancellationToken cancellationToken) => calls.RepeatAsync(
        () => unlessFollowed ? grains.Conversation(key).CancelUnreadAsync(turn, cancellationToken) : grains.Conversation(key).CancelAsync(turn, cancellationToken),
        patience,
        cancellationToken);

    /// <summary>False if there was no such conversation.</summary>
    public Task<Outcome<bool>> DeleteAsync(ConversationKey key, CancellationToken cancellationToken) =>
        calls.RepeatAsync(() => grains.Conversation(key).DeleteAsync(cancellationToken), cancellationToken);

    /// <summary>The turn's events after <paramref name="after"/>, without gaps or repeats, to the one that is Completed.</summary>
    public async IAsyncEnumerable<TurnEvent> FollowAsync(ConversationKey key, Guid turn, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = after;
        var pause = GrainCalls.FirstPause;
        long? lostAt = null;
        while (true)
        {
            var isLocal = local.TryFind(key, turn, out var feed);
            var events = (isLocal ? feed!.FollowAsync(seen, cancellationToken) : grains.Conversation(key).FollowAsync(turn, seen, cancellationToken)).GetAsyncEnumerator(cancellationToken);
            TenantId? asks = isLocal ? null : key.Tenant;
            try
            {
                while (await NextAsync(asks, events) is { } step)
                {
                    if (step.Sequence <= seen && !step.Completed)
                    {
                        continue;
                    }

                    (seen, pause, lostAt) = (step.Sequence, GrainCalls.FirstPause, null);
                    yield return step;
                    if (step.Completed)
                    {
                        yield break;
                    }
                }
            }
            finally
            {
                await LeaveAsync(asks, events);
            }

            cancellationToken.ThrowIfCancellationRequested();
            // An answer may be silent for as long as it likes; only the search for a lost one is bounded.
            lostAt ??= time.GetTimestamp();
            if (time.GetElapsedTime(lostAt.Value) > options.RecoveryPatience)
            {
                yield return new TurnEvent { Sequence = seen, Completed = true, Failure = GrainCalls.Lost };
                yield break;
            }

            LogFollowAgain(logger, turn, seen);
            await Task.Delay(pause, time, cancellationToken);
            pause = GrainCalls.Longer(pause);
        }
    }

    /// <summary>The next event; null if the stream ended or its node was lost.</summary>
    /// <param name="asks">The tenant for whom a grain is asked; null for none.</param>
    private async Task<TurnEvent?> NextAsync(TenantId? asks, IAsyncEnumerator<TurnEvent> events)
    {
        try
        {
            Stamp(asks);
            return await events.MoveNextAsync() ? events.Current : null;
        }
        catch (Exception exception) when (GrainCalls.IsLoss(exception))
        {
            return null;
        }
    }

    /// <summary>Tells the grain that nobody reads on; where its node is gone there is nobody to tell.</summary>
    private async Task LeaveAsync(TenantId? asks, IAsyncEnumerator<TurnEvent> events)
    {
        try
        {
            Stamp(asks);
            await events.DisposeAsync();
        }
        catch (Exception exception) when (GrainCalls.IsLoss(exception))
        {
            LogLeftLost(logger, exception);
        }
    }

    private void Stamp(TenantId? asks)
    {
        if (asks is { } tenant)
        {
            grains.Stamp(tenant);
        }
    }

    [LoggerMessage(LogLevel.Information, "Follows turn {TurnId} again after sequence number {Sequence}")]
    private static partial void LogFollowAgain(ILogger logger, Guid turnId, long sequence);

    [LoggerMessage(LogLevel.Debug, "Left a conversation whose node is gone")]
    private static partial void LogLeftLost(ILogger logger, Exception exception);
}

using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Turns;

/// <summary>
/// Begins and follows turns across the loss of the nodes that hold them. A conversation whose node died comes back elsewhere from its journal:
/// beginning again is safe by the turn's id, and following goes on after the last sequence number seen, so that the reader notices only a pause.
/// </summary>
internal sealed partial class TurnRunner(TenantGrains grains, GatewayOptions options, TimeProvider time, ILogger<TurnRunner> logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>Null if the conversation exists now; otherwise why not.</summary>
    public Task<ChatFailure?> CreateAsync(ConversationKey key, CancellationToken cancellationToken) =>
        PersistAsync(() => grains.Conversation(key).CreateAsync(cancellationToken), Lost, cancellationToken);

    public Task<BeginTurnResult> BeginAsync(ConversationKey key, TurnRequest request, CancellationToken cancellationToken) =>
        PersistAsync(() => grains.Conversation(key).BeginTurnAsync(request, cancellationToken), BeginTurnResult.Refused(Lost), cancellationToken);

    public Task<ConversationHistory?> HistoryAsync(ConversationKey key, CancellationToken cancellationToken) =>
        PersistAsync(() => grains.Conversation(key).HistoryAsync(cancellationToken), null, cancellationToken);

    public Task<bool> CancelAsync(ConversationKey key, Guid turn, CancellationToken cancellationToken) =>
        PersistAsync(() => grains.Conversation(key).CancelAsync(turn, cancellationToken), false, cancellationToken);

    public Task<bool> DeleteAsync(ConversationKey key, CancellationToken cancellationToken) =>
        PersistAsync(() => grains.Conversation(key).DeleteAsync(cancellationToken), false, cancellationToken);

    /// <summary>The turn's events after <paramref name="after"/>, without gaps or repeats, to the one that is Completed.</summary>
    public async IAsyncEnumerable<TurnEvent> FollowAsync(ConversationKey key, Guid turn, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = after;
        var pause = FirstPause;
        var progress = time.GetTimestamp();
        while (true)
        {
            var events = grains.Conversation(key).FollowAsync(turn, seen, cancellationToken).GetAsyncEnumerator(cancellationToken);
            try
            {
                while (await NextAsync(key.Tenant, events) is { } step)
                {
                    if (step.Sequence <= seen && !step.Completed)
                    {
                        continue;
                    }

                    (seen, pause, progress) = (step.Sequence, FirstPause, time.GetTimestamp());
                    yield return step;
                    if (step.Completed)
                    {
                        yield break;
                    }
                }
            }
            finally
            {
                await LeaveAsync(key.Tenant, events);
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (time.GetElapsedTime(progress) > options.RecoveryPatience)
            {
                yield return new TurnEvent { Sequence = seen, Completed = true, Failure = Lost };
                yield break;
            }

            LogFollowAgain(logger, turn, seen);
            await Task.Delay(pause, time, cancellationToken);
            pause = Longer(pause);
        }
    }

    private static ChatFailure Lost => new(ChatFailureKind.ModelUnavailable, "The conversation's node is gone and no other took over in time. The turn is kept: ask again with the same id.");

    private static TimeSpan Longer(TimeSpan pause) => pause * 2 < LongestPause ? pause * 2 : LongestPause;

    private static bool IsLoss(Exception exception) => exception is OrleansException or EnumerationAbortedException or TimeoutException;

    /// <summary>The next event; null if the stream ended or its node was lost.</summary>
    private async Task<TurnEvent?> NextAsync(TenantId tenant, IAsyncEnumerator<TurnEvent> events)
    {
        try
        {
            grains.Stamp(tenant);
            return await events.MoveNextAsync() ? events.Current : null;
        }
        catch (Exception exception) when (IsLoss(exception))
        {
            return null;
        }
    }

    /// <summary>Tells the grain that nobody reads on; where its node is gone there is nobody to tell.</summary>
    private async Task LeaveAsync(TenantId tenant, IAsyncEnumerator<TurnEvent> events)
    {
        try
        {
            grains.Stamp(tenant);
            await events.DisposeAsync();
        }
        catch (Exception exception) when (IsLoss(exception))
        {
            LogLeftLost(logger, exception);
        }
    }

    private async Task<T> PersistAsync<T>(Func<Task<T>> call, T lost, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = Longer(pause))
        {
            try
            {
                return await call();
            }
            catch (Exception exception) when (IsLoss(exception) && !cancellationToken.IsCancellationRequested)
            {
                if (time.GetElapsedTime(began) > options.RecoveryPatience)
                {
                    LogGaveUp(logger, exception);
                    return lost;
                }
            }

            await Task.Delay(pause, time, cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Information, "Follows turn {TurnId} again after sequence number {Sequence}")]
    private static partial void LogFollowAgain(ILogger logger, Guid turnId, long sequence);

    [LoggerMessage(LogLevel.Debug, "Left a conversation whose node is gone")]
    private static partial void LogLeftLost(ILogger logger, Exception exception);

    [LoggerMessage(LogLevel.Warning, "A conversation could not be reached in time")]
    private static partial void LogGaveUp(ILogger logger, Exception exception);
}

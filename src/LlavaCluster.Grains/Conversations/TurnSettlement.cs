using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Conversations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// Replaces an ended turn's lease by what it used, then journals that. If the process dies between the two, the next activation does both again; the usage counts once.
/// </summary>
internal sealed partial class TurnSettlement(TurnJournal journal, Turn turn, ConversationKey conversation, TurnSurroundings surroundings, ILogger logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    /// <summary>Tries until both are durable; false if that was in vain for so long that another activation should try.</summary>
    public async Task<bool> RunAsync(CancellationToken stop)
    {
        for (var pause = FirstPause; ; pause *= 2)
        {
            if (await TryAsync(stop) is not { } trouble)
            {
                return true;
            }

            LogUnsettled(turn.Request.TurnId, trouble);
            if (pause > LongestPause)
            {
                return false;
            }

            await Task.Delay(pause, surroundings.Clock, stop);
        }
    }

    private async Task<string?> TryAsync(CancellationToken stop)
    {
        try
        {
            var lease = LeaseIds.Of(conversation, turn.Request.TurnId, turn.BegunAt);
            await surroundings.Tenant(conversation.Tenant).SettleAsync(lease, turn.End!.Usage, stop);
        }
        catch (Exception fault) when (fault is OrleansException or TimeoutException)
        {
            return fault.Message;
        }

        return await journal.AppendAsync(new TurnSettled(turn.Request.TurnId)) is { } refused ? $"the log says {refused}" : null;
    }

    [LoggerMessage(LogLevel.Warning, "Turn {TurnId} is not settled yet: {Reason}")]
    private partial void LogUnsettled(Guid turnId, string reason);
}

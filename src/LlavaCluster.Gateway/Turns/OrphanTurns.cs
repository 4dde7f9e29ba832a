using System.Collections.Concurrent;
using System.Threading.Channels;
using LlavaCluster.Abstractions.Identity;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Turns;

/// <summary>
/// Stops stateless answers that nobody reads any more. A streamed one is given some time first, because its reader may only have lost its connection
/// and resume, here or through another gateway: the conversation itself knows whether it has. Turns whose id the client chose are not watched: their
/// owner stops them.
/// </summary>
internal sealed partial class OrphanTurns(TurnRunner turns, GatewayOptions options, TimeProvider time, ILogger<OrphanTurns> logger) : BackgroundService
{
    private const int MostWaiting = 65_536;

    // Conversations that cannot be reached keep their stopper waiting; the others' orphans must not.
    private const int Stoppers = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<Guid, Watch> _watched = new();

    // Full only if cancelling has stalled; then an orphan runs to its own end, which its token bound limits.
    private readonly Channel<Orphan> _orphans = Channel.CreateBounded<Orphan>(MostWaiting);

    /// <summary>Marks a turn as read until the result is disposed.</summary>
    public Reading Read(ConversationKey key, Guid turn, bool mayResume)
    {
        _watched.AddOrUpdate(turn, _ => new Watch(1, null), (_, old) => old.Take());
        return new Reading(this, key, turn, mayResume ? options.ResumeGrace : TimeSpan.Zero);
    }

    /// <summary>Stops a turn that perhaps began and that nobody will read.</summary>
    public void Abandon(ConversationKey key, Guid turn) => _orphans.Writer.TryWrite(new Orphan(key, turn, UnlessFollowed: false));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var stoppers = new ParallelOptions { MaxDegreeOfParallelism = Stoppers, CancellationToken = stoppingToken };
            await Parallel.ForEachAsync(_orphans.Reader.ReadAllAsync(stoppingToken), stoppers, StopAsync);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async ValueTask StopAsync(Orphan orphan, CancellationToken stoppingToken)
    {
        try
        {
            var asked = await turns.StopOrphanAsync(orphan.Key, orphan.Turn, orphan.UnlessFollowed, Patience, stoppingToken);
            if (!asked.IsFailure(out _, out var stopped) && stopped)
            {
                LogStopped(logger, orphan.Turn);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            LogFailed(logger, orphan.Turn, exception);
        }
    }

    private void Leave(ConversationKey key, Guid turn, TimeSpan grace, bool finished)
    {
        while (_watched.TryGetValue(turn, out var watch))
        {
            if (watch.Readers > 1)
            {
                if (_watched.TryUpdate(turn, watch with { Readers = watch.Readers - 1 }, watch))
                {
                    return;
                }

                continue;
            }

            if (finished || grace == TimeSpan.Zero)
            {
                if (_watched.TryRemove(new(turn, watch)) && !finished)
                {
                    Abandon(key, turn);
                }

                return;
            }

            // Started once it can be found: what it ends must be there when it fires, and a reader who comes back may have disposed it by then.
            var timer = time.CreateTimer(_ => Expire(key, turn), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            if (_watched.TryUpdate(turn, new Watch(0, timer), watch))
            {
                timer.Change(grace, Timeout.InfiniteTimeSpan);
                return;
            }

            timer.Dispose();
        }
    }

    private void Expire(ConversationKey key, Guid turn)
    {
        if (_watched.TryGetValue(turn, out var watch) && watch.Readers == 0 && _watched.TryRemove(new(turn, watch)))
        {
            watch.Timer?.Dispose();
            _orphans.Writer.TryWrite(new Orphan(key, turn, UnlessFollowed: true));
        }
    }

    [LoggerMessage(LogLevel.Information, "Stopped turn {TurnId}: its reader left")]
    private static partial void LogStopped(ILogger logger, Guid turnId);

    [LoggerMessage(LogLevel.Warning, "Turn {TurnId} has no reader and could not be stopped")]
    private static partial void LogFailed(ILogger logger, Guid turnId, Exception exception);

    /// <summary>A reader's hold on a turn.</summary>
    internal sealed class Reading(OrphanTurns owner, ConversationKey key, Guid turn, TimeSpan grace) : IDisposable
    {
        /// <summary>Set when the answer came to its end, so that nothing is left to stop.</summary>
        public bool Finished { get; set; }

        public void Dispose() => owner.Leave(key, turn, grace, Finished);
    }

    private readonly record struct Orphan(ConversationKey Key, Guid Turn, bool UnlessFollowed);

    private sealed record Watch(int Readers, ITimer? Timer)
    {
        public Watch Take()
        {
            Timer?.Dispose();
            return new Watch(Readers + 1, null);
        }
    }
}

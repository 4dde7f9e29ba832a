using System.Collections.Immutable;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Keeping;

/// <summary>Wakes now and then the grains whose work a store knows as not ended, so that what a lost front left goes on from another: the store is the reminder.</summary>
internal abstract partial class GrainKeeper<TKey>(TimeProvider clock, ILogger logger) : BackgroundService
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(3);

    protected abstract Task<ImmutableArray<TKey>> UnfinishedAsync(CancellationToken cancellationToken);

    protected abstract Task WakeAsync(TKey key, CancellationToken cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Round, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await TendAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task TendAsync(CancellationToken stoppingToken)
    {
        try
        {
            foreach (var key in await UnfinishedAsync(stoppingToken))
            {
                await TryWakeAsync(key, stoppingToken);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
        {
            // The next round tries again.
            LogSkipped(fault.Message);
        }
    }

    private async Task TryWakeAsync(TKey key, CancellationToken stoppingToken)
    {
        try
        {
            await WakeAsync(key, stoppingToken);
        }
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
        {
            LogNotWoken($"{key}", fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A round of the keeper was skipped: {Reason}")]
    private partial void LogSkipped(string reason);

    [LoggerMessage(LogLevel.Warning, "{Key} was not woken: {Reason}")]
    private partial void LogNotWoken(string key, string reason);
}

using Microsoft.Extensions.Hosting;

namespace LlavaCluster.Grains.Workers;

/// <summary>Has the worker table look for silent workers four times a second.</summary>
internal sealed class WorkerSweeper(WorkerTable table, TimeProvider clock) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                table.Sweep();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }
}

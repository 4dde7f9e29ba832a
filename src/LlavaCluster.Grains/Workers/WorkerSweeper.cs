using LlavaCluster.Hosting.Operations;

namespace LlavaCluster.Grains.Workers;

/// <summary>Has the worker table look for silent workers four times a second.</summary>
internal sealed class WorkerSweeper(WorkerTable table, TimeProvider clock) : ISiloLoop
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250), clock);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            table.Sweep();
        }
    }
}

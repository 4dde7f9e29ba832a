using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Operations;

/// <summary>
/// Holds a stopping silo back until its work has drained. It sits just above Active, so that it ends before other silos hear of the stop:
/// later, streams from this silo's grains would be cut.
/// </summary>
internal sealed partial class DrainHook(IEnumerable<IDrain> drains, ClusterOptions options, TimeProvider clock, ILogger<DrainHook> logger)
    : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle lifecycle) =>
        lifecycle.Subscribe(nameof(DrainHook), ServiceLifecycleStage.Active + 1, _ => Task.CompletedTask, DrainAsync);

    private async Task DrainAsync(CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(options.DrainTimeout, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await Task.WhenAll(drains.Select(drain => drain.DrainAsync(stop.Token)));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            LogCut(options.DrainTimeout);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Work was still running after {Timeout}; it goes on elsewhere")]
    private partial void LogCut(TimeSpan timeout);
}

using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Grains.Tests.Support;

internal interface ITimedGrain : ITenantScopedGrain
{
    /// <summary>Completes when a timer of the grain has ticked.</summary>
    Task TickAsync(CancellationToken cancellationToken);
}

/// <summary>A tenant's grain with a timer.</summary>
internal sealed class TimedGrain : Grain, ITimedGrain
{
    private readonly TaskCompletionSource _ticked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task TickAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(
            _ =>
            {
                _ticked.TrySetResult();
                return Task.CompletedTask;
            },
            new GrainTimerCreationOptions { DueTime = TimeSpan.Zero, Period = Timeout.InfiniteTimeSpan, Interleave = true });
        return _ticked.Task.WaitAsync(cancellationToken);
    }
}

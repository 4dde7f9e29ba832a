using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A tenant's grain with a timer, as conversations have one to renew leases.</summary>
internal interface ITimedGrain : ITenantScopedGrain
{
    /// <summary>Returns once the grain's own timer has run.</summary>
    [Alias("tick")]
    Task TickAsync(CancellationToken cancellationToken);
}

internal sealed class TimedGrain : Grain, ITimedGrain
{
    private readonly TaskCompletionSource _ticked = new();

    public Task TickAsync(CancellationToken cancellationToken)
    {
        var once = new GrainTimerCreationOptions(TimeSpan.Zero, Timeout.InfiniteTimeSpan) { Interleave = true };
        this.RegisterGrainTimer(
            _ =>
            {
                _ticked.TrySetResult();
                return Task.CompletedTask;
            },
            once);
        return _ticked.Task.WaitAsync(cancellationToken);
    }
}

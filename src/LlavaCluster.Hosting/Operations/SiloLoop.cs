using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Operations;

/// <summary>
/// Keeps a loop running while the silo is a full member, to the end of its drain. A hosted service would end before that: a draining process
/// would fall silent, or deaf, in the middle of its last answers.
/// </summary>
internal sealed partial class SiloLoop<T>(T loop, TimeProvider clock, ILogger<T> logger) : ILifecycleParticipant<ISiloLifecycle>, IDisposable
    where T : ISiloLoop
{
    /// <summary>Short against the silence after which a worker counts as gone.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    // At Active: what stops does so in the opposite order, the drain one stage above it first.
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(typeof(T).Name, ServiceLifecycleStage.Active, Start, StopAsync);

    public void Dispose() => _stop.Dispose();

    private Task Start(CancellationToken cancellationToken)
    {
        _running = Task.Run(() => KeepRunningAsync(_stop.Token), CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        try
        {
            await _running;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // As it should.
        }
    }

    private async Task KeepRunningAsync(CancellationToken stop)
    {
        while (!await TryRunAsync(stop))
        {
            await Task.Delay(Pause, clock, stop);
        }
    }

    private async Task<bool> TryRunAsync(CancellationToken stop)
    {
        try
        {
            await loop.RunAsync(stop);
            return true;
        }
        catch (Exception fault) when (fault is not OperationCanceledException || !stop.IsCancellationRequested)
        {
            // Nobody awaits the loop before the stop: without this a worker would fall silent, or a front deaf, and nothing would tell.
            LogFailed(fault, typeof(T).Name);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Error, "{Loop} failed and is run anew")]
    private partial void LogFailed(Exception fault, string loop);
}

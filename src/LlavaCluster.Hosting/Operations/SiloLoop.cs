using Orleans;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Operations;

/// <summary>
/// A loop that runs while its silo is a full member, to the end of its drain. A hosted service would end before that: a draining process
/// would fall silent, or deaf, in the middle of its last answers.
/// </summary>
public abstract class SiloLoop : ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    // At Active: what stops does so in the opposite order, the drain one stage above it first.
    public void Participate(ISiloLifecycle lifecycle) => lifecycle.Subscribe(GetType().Name, ServiceLifecycleStage.Active, Start, StopAsync);

    public void Dispose()
    {
        _stop.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Runs until it is cancelled, by throwing or not. Whatever else it throws fails the silo's stop.</summary>
    protected abstract Task RunAsync(CancellationToken cancellationToken);

    private Task Start(CancellationToken cancellationToken)
    {
        _loop = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        try
        {
            await _loop;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // As it should.
        }
    }
}

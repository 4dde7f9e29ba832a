namespace LlavaCluster.Hosting.Operations;

/// <summary>Counts the turns this process drives and the answers it streams, so that it can wait for them when it stops. Members may be called from any thread.</summary>
public sealed class RunningWork : IDrain
{
    private readonly Lock _gate = new();
    private int _count;
    private TaskCompletionSource? _empty;

    public void Enter()
    {
        lock (_gate)
        {
            _count++;
        }
    }

    public void Leave()
    {
        lock (_gate)
        {
            if (--_count == 0)
            {
                _empty?.TrySetResult();
            }
        }
    }

    public Task DrainAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_count == 0)
            {
                _empty.TrySetResult();
            }

            return _empty.Task.WaitAsync(cancellationToken);
        }
    }
}

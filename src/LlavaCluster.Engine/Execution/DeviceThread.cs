using System.Threading.Channels;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// The one thread that may call torch for one device: torch's modes and dispose scopes are thread-local, and every calling thread gets worker
/// threads of its own. Work runs in the order it was queued. When the queue is full, callers wait.
/// </summary>
public sealed class DeviceThread : IAsyncDisposable
{
    private readonly Channel<Action> _queue;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;

    public DeviceThread(string name, int capacity = 64)
    {
        _queue = Channel.CreateBounded<Action>(new BoundedChannelOptions(capacity) { SingleReader = true });
        _thread = new Thread(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Whether work waits behind what runs now. Long work on the thread should end soon when it does.</summary>
    public bool HasWaiting => _queue.Reader.Count > 0;

    /// <summary>Runs <paramref name="work"/> on the thread; its result or exception comes back. Cancellation is seen until the work starts.</summary>
    /// <exception cref="ObjectDisposedException">The thread has ended.</exception>
    public async Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellationToken = default)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await _queue.Writer.WriteAsync(() => Complete(work, done, cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(DeviceThread));
        }

        return await done.Task.ConfigureAwait(false);
    }

    public Task RunAsync(Action work, CancellationToken cancellationToken = default) =>
        RunAsync(
            () =>
            {
                work();
                return true;
            },
            cancellationToken);

    /// <summary>Runs what is queued, then ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _ended.Task.ConfigureAwait(false);
    }

    private static void Complete<T>(Func<T> work, TaskCompletionSource<T> done, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            done.TrySetCanceled(cancellationToken);
            return;
        }

        try
        {
            done.TrySetResult(work());
        }
        catch (Exception exception)
        {
            // The work's owner gets it; the thread lives on.
            done.TrySetException(exception);
        }
    }

    private void Run()
    {
        while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_queue.Reader.TryRead(out var action))
            {
                action();
            }
        }

        _ended.TrySetResult();
    }
}

using LlavaCluster.Abstractions.Training;

namespace LlavaCluster.Worker.Training;

/// <summary>The group that a trainer is to work in next: a later one takes the place of one that was not taken yet, and calls the thread from the one it works in. Members may be called from any thread.</summary>
internal sealed class GroupMailbox
{
    private readonly Lock _gate = new();
    private TrainerGroup? _next;
    private TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Action? _call;
    private bool _closed;

    public void Put(TrainerGroup group)
    {
        lock (_gate)
        {
            _next = _next is { } waiting && waiting.Generation > group.Generation ? waiting : group;
            _arrived.TrySetResult();
            _call?.Invoke();
        }
    }

    /// <summary>There will be no other.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            _arrived.TrySetResult();
            _call?.Invoke();
        }
    }

    /// <summary>The next group, when it comes; null where there will be none.</summary>
    public async Task<TrainerGroup?> TakeAsync()
    {
        while (true)
        {
            Task arrived;
            lock (_gate)
            {
                if (_next is not null || _closed)
                {
                    var taken = _closed ? null : _next;
                    _next = null;
                    _arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    return taken;
                }

                arrived = _arrived.Task;
            }

            await arrived;
        }
    }

    /// <summary>While the result is not disposed, <paramref name="call"/> is called when a group comes or none will; at once where one waits. Never after that: it must be short and not come back here.</summary>
    public IDisposable OnNext(Action call)
    {
        lock (_gate)
        {
            _call = call;
            if (_next is not null || _closed)
            {
                call();
            }
        }

        return new Listening(this);
    }

    private sealed class Listening(GroupMailbox mailbox) : IDisposable
    {
        public void Dispose()
        {
            lock (mailbox._gate)
            {
                mailbox._call = null;
            }
        }
    }
}

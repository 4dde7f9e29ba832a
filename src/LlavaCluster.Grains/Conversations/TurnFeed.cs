using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Grains.Conversations;

/// <summary>A turn's durable events in order, and those who read them. Its grain alone adds; members may be called from any thread.</summary>
public sealed class TurnFeed
{
    private readonly Lock _gate = new();
    private readonly List<TurnEvent> _events = [];
    private TaskCompletionSource _changed = NewSignal();
    private ChatFailure? _interruption;
    private int _followers;
    private bool _ended;
    private bool _closed;

    /// <summary>Readers that follow the turn now.</summary>
    public int Followers => Volatile.Read(ref _followers);

    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _events.Count;
            }
        }
    }

    internal bool IsInterrupted
    {
        get
        {
            lock (_gate)
            {
                return _interruption is not null;
            }
        }
    }

    /// <summary>The events after a sequence number and those to come, until the turn has ended or is interrupted. It ends without either where the grain has gone: follow it anew.</summary>
    public async IAsyncEnumerable<TurnEvent> FollowAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = (int)Math.Clamp(after, 0, int.MaxValue);
        var batch = new List<TurnEvent>();
        Interlocked.Increment(ref _followers);
        try
        {
            while (true)
            {
                var (changed, isLast) = Take(next, batch);
                next += batch.Count;
                foreach (var step in batch)
                {
                    yield return step;
                }

                if (isLast)
                {
                    yield break;
                }

                await changed.WaitAsync(cancellationToken);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _followers);
        }
    }

    /// <summary>Shows events, whose numbers go on from <see cref="Count"/>.</summary>
    internal void Add(IEnumerable<TurnEvent> events, bool isEnd)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _events.AddRange(events);
            _ended |= isEnd;
            changed = Renew();
        }

        changed.SetResult();
    }

    /// <summary>Tells the readers, those who come later too, that the turn cannot go on for now.</summary>
    internal void Interrupt(ChatFailure failure)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _interruption = failure;
            changed = Renew();
        }

        changed.SetResult();
    }

    internal void Resume()
    {
        lock (_gate)
        {
            _interruption = null;
        }
    }

    /// <summary>The grain goes: what is here may be behind what another activation writes.</summary>
    internal void Close()
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _closed = true;
            changed = Renew();
        }

        changed.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    // What there is from an event on, what tells of more, and whether more can come.
    private (Task Changed, bool IsLast) Take(int next, List<TurnEvent> batch)
    {
        batch.Clear();
        lock (_gate)
        {
            if (next < _events.Count)
            {
                batch.AddRange(CollectionsMarshal.AsSpan(_events)[next..]);
            }

            if (!_ended && !_closed && _interruption is { } failure)
            {
                // Not an event of the log: it takes no number, so that a reader which comes back after it misses nothing.
                batch.Add(new TurnEvent { Sequence = _events.Count, Completed = true, Failure = failure });
            }

            return (_changed.Task, _ended || _closed || _interruption is not null);
        }
    }

    private TaskCompletionSource Renew()
    {
        var changed = _changed;
        _changed = NewSignal();
        return changed;
    }
}

using System.Collections.Concurrent;

namespace LlavaCluster.Training.Data;

/// <summary>
/// Prepares items ahead and hands them out in order of their index, so that what a consumer sees depends on the index alone and never on timing. Has threads of its own, made by the thread that makes
/// this: on Linux they have its priority, where the pool's would have the process's and take cores from whoever is served first. One consumer.
/// </summary>
internal sealed class OrderedPrefetcher<T> : IDisposable
{
    private const int LeastThreads = 2; // one may wait for a disk

    private readonly Func<long, T> _prepare;
    private readonly int _ahead;
    private readonly Queue<Task<T>> _pending = new();
    private readonly BlockingCollection<Task<T>> _work = [];
    private readonly Thread[] _threads;
    private volatile bool _stopped;
    private long _next;

    /// <param name="prepare">Makes the item of an index; called from several threads at once. Must not touch tensors.</param>
    /// <param name="first">Index of the first item.</param>
    /// <param name="ahead">Items that are prepared or waiting at most; at least 1. One thread a core works on them, two at least.</param>
    public OrderedPrefetcher(Func<long, T> prepare, long first, int ahead)
    {
        (_prepare, _next, _ahead) = (prepare, first, ahead);
        _threads = [.. Enumerable.Range(0, Math.Min(ahead, Math.Max(LeastThreads, Environment.ProcessorCount))).Select(_ => new Thread(Work) { IsBackground = true, Name = "llava loading" })];
        Array.ForEach(_threads, thread => thread.Start());
    }

    /// <summary>Waits for the next item. An exception of <c>prepare</c> appears here, at its item.</summary>
    public T Next()
    {
        while (_pending.Count < _ahead)
        {
            var index = _next++;
            var item = new Task<T>(() => _prepare(index));
            _pending.Enqueue(item);
            _work.Add(item);
        }

        return _pending.Dequeue().GetAwaiter().GetResult();
    }

    /// <summary>Waits for the items that are being prepared.</summary>
    public void Dispose()
    {
        _stopped = true;
        _work.CompleteAdding();
        Array.ForEach(_threads, thread => thread.Join());
        _work.Dispose();
    }

    private void Work()
    {
        foreach (var item in _work.GetConsumingEnumerable())
        {
            if (!_stopped)
            {
                item.RunSynchronously(TaskScheduler.Default);
            }
        }
    }
}

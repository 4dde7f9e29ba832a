namespace LlavaCluster.Training.Data;

/// <summary>
/// Prepares items ahead on pool threads and hands them out in order of their index, so that what a consumer sees depends on the index alone and never on timing.
/// At most <c>ahead</c> items are prepared or waiting. One consumer.
/// </summary>
/// <param name="prepare">Makes the item of an index; called from several threads at once. Must not touch tensors.</param>
/// <param name="first">Index of the first item.</param>
/// <param name="ahead">At least 1.</param>
internal sealed class OrderedPrefetcher<T>(Func<long, T> prepare, long first, int ahead) : IDisposable
{
    private readonly Queue<Task<T>> _pending = new();
    private long _next = first;

    /// <summary>Waits for the next item. An exception of <c>prepare</c> appears here, at its item.</summary>
    public T Next()
    {
        while (_pending.Count < ahead)
        {
            var index = _next++;
            _pending.Enqueue(Task.Run(() => prepare(index)));
        }

        return _pending.Dequeue().GetAwaiter().GetResult();
    }

    /// <summary>Waits for the items still being prepared.</summary>
    public void Dispose()
    {
        foreach (var task in _pending)
        {
            ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
        }
    }
}

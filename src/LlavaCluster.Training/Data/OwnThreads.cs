using System.Runtime.ExceptionServices;

namespace LlavaCluster.Training.Data;

/// <summary>Work shared out among threads that the calling thread makes, so that on Linux they have its priority.</summary>
internal static class OwnThreads
{
    /// <summary>Calls <paramref name="body"/> with each index from 0, on as many threads at most, of which the calling one is one.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; no call is under way any more. What <paramref name="body"/> throws ends it likewise, and is thrown as it was.</exception>
    public static void For(int count, int threads, Action<int> body, CancellationToken cancellationToken)
    {
        var next = -1;
        ExceptionDispatchInfo? fault = null;
        var helpers = Enumerable.Range(1, Math.Max(0, Math.Min(threads, count) - 1)).Select(_ => new Thread(Work) { IsBackground = true, Name = "llava loading" }).ToArray();
        Array.ForEach(helpers, thread => thread.Start());
        Work();
        Array.ForEach(helpers, thread => thread.Join());
        fault?.Throw();
        cancellationToken.ThrowIfCancellationRequested();

        void Work()
        {
            try
            {
                for (int index; !cancellationToken.IsCancellationRequested && Volatile.Read(ref fault) is null && (index = Interlocked.Increment(ref next)) < count;)
                {
                    body(index);
                }
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref fault, ExceptionDispatchInfo.Capture(exception), null);
            }
        }
    }
}

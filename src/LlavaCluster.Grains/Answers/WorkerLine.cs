using System.Collections.Concurrent;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Answers;

/// <summary>
/// The front's end of a line to a worker: reads what all answers say and hands it to each. Where the line ends, whatever the reason, all its answers break off, and their turns go on
/// by another line. Members may be called from any thread.
/// </summary>
internal sealed partial class WorkerLine
{
    private readonly Guid _id = Guid.NewGuid();
    private readonly IModelWorkerGrain _grain;
    private readonly WorkerKey _worker;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<long, WorkerAnswer> _answers = new();
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastAnswer;
    private volatile bool _ended;

    /// <param name="gone">Cancelled when the worker is lost.</param>
    public WorkerLine(IModelWorkerGrain grain, WorkerKey worker, ILogger logger, CancellationToken gone, CancellationToken stop)
    {
        (_grain, _worker, _logger) = (grain, worker, logger);
        // It outlives the call that opened it, whose tenant and trace are not its own.
        using (ExecutionContext.SuppressFlow())
        {
            Done = Task.Run(() => ReadAsync(gone, stop), CancellationToken.None);
        }
    }

    public bool HasEnded => _ended;

    /// <summary>Completes when the line has ended and the worker was left; may last until a dead worker's silo is known to be dead.</summary>
    public Task Done { get; }

    /// <summary>Takes an answer that is about to be asked for, and numbers it; null where the line has ended.</summary>
    public long? Add(WorkerAnswer answer)
    {
        var number = Interlocked.Increment(ref _lastAnswer);
        _answers[number] = answer;
        if (!_ended)
        {
            return number;
        }

        _answers.TryRemove(number, out _);
        return null;
    }

    /// <summary>Asks the worker; false where it does not know the line any more.</summary>
    public async Task<bool> AskAsync(long number, GenerateRequest request, CancellationToken cancellationToken)
    {
        await _open.Task.WaitAsync(cancellationToken);
        return await _grain.AskAsync(_id, number, request).WaitAsync(cancellationToken);
    }

    /// <summary>Has the worker abort an answer, unless that has ended.</summary>
    public async Task LeaveAsync(long number)
    {
        if (_answers.TryRemove(number, out _) && !_ended)
        {
            await TellToLeaveAsync(number);
        }
    }

    private async Task ReadAsync(CancellationToken gone, CancellationToken stop)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(gone, stop);
        var batches = _grain.ListenAsync(_id, end.Token).GetAsyncEnumerator(end.Token);
        try
        {
            // A call to a dead silo hangs until its timeout; the worker's silence is known sooner.
            while (await batches.MoveNextAsync().AsTask().WaitAsync(end.Token))
            {
                _open.TrySetResult();
                HandOut(batches.Current);
            }
        }
        catch (Exception fault)
        {
            // Whatever ended it, other workers may go on; the turns' own limits say when not.
            LogEnded(_worker, fault.GetType().Name, fault.Message);
        }

        End();
        try
        {
            await batches.DisposeAsync();
        }
        catch (Exception fault)
        {
            LogEnded(_worker, fault.GetType().Name, fault.Message);
        }
    }

    private void HandOut(AnswerBatch batch)
    {
        foreach (var (number, update) in batch.Updates)
        {
            var isEnd = update is null or { Completed: true };
            if (_answers.TryGetValue(number, out var answer))
            {
                if (isEnd)
                {
                    _answers.TryRemove(number, out _);
                }

                answer.Hear(update);
            }
            else if (!isEnd)
            {
                // Left already; should the worker not have heard of it, it does now.
                _ = TellToLeaveAsync(number);
            }
        }
    }

    private void End()
    {
        _ended = true;
        _open.TrySetResult();
        foreach (var number in _answers.Keys)
        {
            if (_answers.TryRemove(number, out var answer))
            {
                answer.Hear(null);
            }
        }
    }

    private async Task TellToLeaveAsync(long number)
    {
        try
        {
            await _grain.LeaveAsync(_id, number);
        }
        catch (Exception fault)
        {
            // The end of the line ends it too.
            LogNotLeft(_worker, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Debug, "The line to worker {Worker} ended: {Kind}: {Reason}")]
    private partial void LogEnded(WorkerKey worker, string kind, string reason);

    [LoggerMessage(LogLevel.Debug, "Worker {Worker} was not told to leave an answer: {Reason}")]
    private partial void LogNotLeft(WorkerKey worker, string reason);
}

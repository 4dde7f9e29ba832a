using System.Threading.Channels;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Conversations;

/// <summary>One attempt of one worker at a turn, read ahead into a bounded channel while earlier tokens are being made durable.</summary>
internal sealed partial class WorkerStream : IAsyncDisposable
{
    private const int ReadAhead = 1024;

    private readonly Channel<GenerateUpdate> _updates = Channel.CreateBounded<GenerateUpdate>(ReadAhead);
    private readonly CancellationTokenSource _leave;
    private readonly WorkerKey _worker;
    private readonly ILogger _logger;
    private readonly Task _reading;

    /// <param name="gone">Cancelled when the worker is lost.</param>
    public WorkerStream(IModelWorkerGrain grain, WorkerKey worker, GenerateRequest request, ILogger logger, CancellationToken gone, CancellationToken stop)
    {
        (_worker, _logger) = (worker, logger);
        _leave = CancellationTokenSource.CreateLinkedTokenSource(gone, stop);
        _reading = ReadAsync(grain, request, _leave.Token);
    }

    /// <summary>Takes all updates at hand, waiting for at least one; false when no more will come.</summary>
    public async Task<bool> TakeAsync(List<GenerateUpdate> batch)
    {
        batch.Clear();
        if (!await _updates.Reader.WaitToReadAsync())
        {
            return false;
        }

        while (_updates.Reader.TryRead(out var update))
        {
            batch.Add(update);
        }

        return true;
    }

    /// <summary>Leaves the worker, which then gives everything back. May last until a dead worker's silo is known to be dead.</summary>
    public async ValueTask DisposeAsync()
    {
        await _leave.CancelAsync();
        await _reading;
        _leave.Dispose();
    }

    private async Task ReadAsync(IModelWorkerGrain grain, GenerateRequest request, CancellationToken cancellationToken)
    {
        var updates = grain.GenerateAsync(request, cancellationToken).GetAsyncEnumerator(cancellationToken);
        try
        {
            while (await updates.MoveNextAsync().AsTask().WaitAsync(cancellationToken))
            {
                await _updates.Writer.WriteAsync(updates.Current, cancellationToken);
            }
        }
        catch (Exception fault)
        {
            // Whatever ended it, another worker may go on; the turn's own limits say when not.
            LogEnded(_worker, fault.GetType().Name, fault.Message);
        }

        _updates.Writer.TryComplete();
        try
        {
            await updates.DisposeAsync();
        }
        catch (Exception fault)
        {
            LogEnded(_worker, fault.GetType().Name, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Debug, "Stream of worker {Worker} ended: {Kind}: {Reason}")]
    private partial void LogEnded(WorkerKey worker, string kind, string reason);
}

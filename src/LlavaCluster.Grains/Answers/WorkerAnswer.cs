using System.Threading.Channels;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Grains.Answers;

/// <summary>One attempt of one worker at a turn, read ahead while earlier tokens are being made durable. Its turn reads it; its line writes it.</summary>
internal sealed class WorkerAnswer : IAsyncDisposable
{
    // Never more than one answer, which its request bounds: a reader that is slow must not hold up the others of its line.
    private readonly Channel<GenerateUpdate> _updates = Channel.CreateUnbounded<GenerateUpdate>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _leave = new(); // of no timer and no other source: nothing to dispose, and the line may be late to end it
    private readonly CancellationTokenRegistration _giveUp;
    private readonly WorkerLine _line;
    private readonly long? _number;
    private readonly Task _asking;

    public WorkerAnswer(WorkerLine line, GenerateRequest request, CancellationToken giveUp)
    {
        _line = line;
        _giveUp = giveUp.UnsafeRegister(static answer => ((WorkerAnswer)answer!).End(), this);
        _number = line.Add(this);
        _asking = AskAsync(request);
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

    /// <summary>Takes what the worker says; null where the answer breaks off.</summary>
    public void Hear(GenerateUpdate? update)
    {
        if (update is not null)
        {
            _updates.Writer.TryWrite(update);
        }

        if (update is null or { Completed: true })
        {
            End();
        }
    }

    /// <summary>Leaves the worker, which then gives everything back. May last until a dead worker's silo is known to be dead.</summary>
    public async ValueTask DisposeAsync()
    {
        await _giveUp.DisposeAsync();
        End();
        await _asking;
        if (_number is { } number)
        {
            await _line.LeaveAsync(number);
        }
    }

    private void End()
    {
        _updates.Writer.TryComplete();
        _leave.Cancel();
    }

    private async Task AskAsync(GenerateRequest request)
    {
        try
        {
            if (_number is not { } number || !await _line.AskAsync(number, request, _leave.Token))
            {
                End();
            }
        }
        catch (Exception)
        {
            // The worker's silo is gone or going: for its turn that is an answer which broke off.
            End();
        }
    }
}

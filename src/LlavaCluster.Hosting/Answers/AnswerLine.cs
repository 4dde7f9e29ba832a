using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Operations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Hosting.Answers;

/// <summary>
/// The worker's end of a line: runs the answers that were asked for on it, each a task of its own, and gathers what they say until the front takes it. Answers wait where the
/// front is far behind. Members may be called from any thread, the reading by one.
/// </summary>
internal sealed partial class AnswerLine(IEngineHost engine, RunningWork running, ILogger logger)
{
    private const int MostWaiting = 4096;
    private const int MostABatch = 1024;

    private readonly Channel<AnswerUpdate> _said = Channel.CreateBounded<AnswerUpdate>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly ConcurrentDictionary<long, CancellationTokenSource> _answers = new();
    private volatile bool _closed;

    /// <summary>False where the line is closed.</summary>
    /// <exception cref="InvalidOperationException">There is an answer of this number.</exception>
    public bool TryBegin(long answer, GenerateRequest request)
    {
        var leave = new CancellationTokenSource();
        if (!_answers.TryAdd(answer, leave))
        {
            throw new InvalidOperationException($"Answer {answer} was asked for before.");
        }

        running.Enter();
        if (_closed)
        {
            Leave(answer);
            return false;
        }

        _ = Task.Run(() => TellAsync(answer, request, leave.Token), CancellationToken.None);
        return true;
    }

    public void Leave(long answer)
    {
        if (Forget(answer) is { } leave)
        {
            leave.Cancel();
        }
    }

    public void Close()
    {
        _closed = true;
        foreach (var answer in _answers.Keys)
        {
            Leave(answer);
        }
    }

    /// <summary>All that was said since the last batch, waiting for something; goes on until it is cancelled.</summary>
    public async IAsyncEnumerable<AnswerBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await _said.Reader.WaitToReadAsync(cancellationToken))
        {
            var batch = Take();
            yield return new AnswerBatch(batch);
            foreach (var (answer, update) in batch)
            {
                if (update is null or { Completed: true })
                {
                    Forget(answer);
                }
            }
        }
    }

    private ImmutableArray<AnswerUpdate> Take()
    {
        var batch = ImmutableArray.CreateBuilder<AnswerUpdate>(Math.Clamp(_said.Reader.Count, 1, MostABatch));
        while (batch.Count < MostABatch && _said.Reader.TryRead(out var said))
        {
            batch.Add(said);
        }

        return batch.DrainToImmutable();
    }

    // Whoever takes it out of the table counts it out: its end is on its way, or nobody waits for it.
    private CancellationTokenSource? Forget(long answer)
    {
        if (!_answers.TryRemove(answer, out var leave))
        {
            return null;
        }

        running.Leave();
        return leave;
    }

    private async Task TellAsync(long answer, GenerateRequest request, CancellationToken left)
    {
        try
        {
            if (!await TellAllAsync(answer, request, left))
            {
                await _said.Writer.WriteAsync(new AnswerUpdate(answer, null), left);
            }
        }
        catch (OperationCanceledException) when (left.IsCancellationRequested)
        {
            // Nobody waits for it.
        }
    }

    /// <summary>Whether the answer told its end.</summary>
    private async Task<bool> TellAllAsync(long answer, GenerateRequest request, CancellationToken left)
    {
        try
        {
            await foreach (var update in engine.GenerateAsync(request, left))
            {
                await _said.Writer.WriteAsync(new AnswerUpdate(answer, update), left);
                if (update.Completed)
                {
                    return true;
                }
            }
        }
        catch (Exception fault) when (!left.IsCancellationRequested)
        {
            // The last edge of a background task: without this the front would wait for ever.
            LogBroken(fault, request.TurnId);
        }

        return false;
    }

    [LoggerMessage(LogLevel.Error, "The answer of turn {TurnId} broke off")]
    private partial void LogBroken(Exception fault, Guid turnId);
}

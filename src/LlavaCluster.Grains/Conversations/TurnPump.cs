using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Conversations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// Drives one turn to its end: asks a worker, journals what it says, goes on at another worker after the journaled tokens when one is lost,
/// ends the turn and settles its lease. Runs on the grain's scheduler, beside its calls.
/// </summary>
internal sealed partial class TurnPump(TurnJournal journal, Turn turn, ConversationKey conversation, TurnSurroundings surroundings, ILogger logger)
{
    /// <summary>A timer reaches 49.7 days; a later deadline is none.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    private readonly CancellationTokenSource _cancel = new();
    private readonly List<Task> _leaving = [];

    /// <summary>Completes when the turn has ended, or was left to another activation.</summary>
    public Task Done { get; private set; } = Task.CompletedTask;

    public Turn Turn => turn;

    /// <param name="stop">Cancelled when the grain goes; the turn then stays unfinished in the log.</param>
    /// <param name="stale">Called when another activation has written to the log.</param>
    public void Start(Action stale, CancellationToken stop) => Done = RunAsync(stale, stop);

    public void Cancel() => _cancel.Cancel();

    private async Task RunAsync(Action stale, CancellationToken stop)
    {
        surroundings.Running.Enter();
        try
        {
            var fault = turn.End is null ? await AnswerAsync(stop) : null;
            if (fault is { } broken)
            {
                Break(broken, stale);
            }
            else if (!turn.Settled)
            {
                await new TurnSettlement(journal, turn, conversation, surroundings, logger).RunAsync(stop);
            }

            await Task.WhenAll(_leaving);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Another activation reads the log and goes on.
        }
        catch (Exception unexpected)
        {
            // The last edge of a background task: without this the turn would hang unseen.
            LogFailed(unexpected, turn.Request.TurnId);
            turn.Interrupt(new ChatFailure(ChatFailureKind.Internal, "The answer was interrupted; ask again with the same turn id."));
        }
        finally
        {
            surroundings.Running.Leave();
        }
    }

    private void Break(StorageFault fault, Action stale)
    {
        LogInterrupted(turn.Request.TurnId, fault);
        if (fault == StorageFault.Conflict)
        {
            // The readers' streams break off with this activation; following again finds the one that is ahead.
            stale();
            return;
        }

        turn.Interrupt(fault == StorageFault.Full
            ? new ChatFailure(ChatFailureKind.StorageFull, "The store is full. What was said so far is kept; ask again with the same turn id when there is room.")
            : new ChatFailure(ChatFailureKind.Internal, "The store did not answer. What was said so far is kept; ask again with the same turn id."));
    }

    private async Task<StorageFault?> AnswerAsync(CancellationToken stop)
    {
        using var deadline = new CancellationTokenSource(Left(), surroundings.Clock);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(_cancel.Token, deadline.Token, stop);
        var attempts = new AttemptLedger(surroundings.Clock);
        while (!turn.AllChoicesFinished && !giveUp.IsCancellationRequested && attempts.Failure is null)
        {
            var worker = surroundings.Workers.Choose(turn.Request.Model, turn.Request.AffinityKey, attempts.Excluded);
            if (worker is null)
            {
                await attempts.WaitAsync(surroundings.Workers.Changed, turn.HasTokens, giveUp.Token);
                continue;
            }

            var (end, fault) = await ReadAsync(worker.Value, attempts, giveUp.Token);
            if (fault is not null)
            {
                return fault;
            }

            if (!turn.AllChoicesFinished && !giveUp.IsCancellationRequested)
            {
                attempts.Take(worker.Value, end);
                LogLeft(turn.Request.TurnId, worker.Value, turn.Choices.Sum(choice => choice.Tokens.Count), end?.Failure?.Message ?? "it was lost");
            }
        }

        stop.ThrowIfCancellationRequested();
        return await EndAsync(attempts.Failure, _cancel.IsCancellationRequested, deadline.IsCancellationRequested);
    }

    /// <summary>Reads one worker to its end. The update is its last one, or null if it was lost.</summary>
    private async Task<(GenerateUpdate? End, StorageFault? Fault)> ReadAsync(WorkerKey worker, AttemptLedger attempts, CancellationToken giveUp)
    {
        var answer = surroundings.Lines.Ask(worker, Request(), giveUp);
        try
        {
            var batch = new List<GenerateUpdate>();
            while (await answer.TakeAsync(batch))
            {
                if (await JournalAsync(batch) is { } fault)
                {
                    return (null, fault);
                }

                attempts.Hear(batch);
                if (batch[^1].Completed)
                {
                    return (batch[^1], null);
                }
            }

            return (null, null);
        }
        finally
        {
            // A dead worker is slow to leave; the turn does not wait for it.
            _leaving.Add(answer.DisposeAsync().AsTask());
        }
    }

    private async Task<StorageFault?> JournalAsync(List<GenerateUpdate> batch)
    {
        var records = ImmutableArray.CreateBuilder<LogRecord>(2);
        // A worker counts the prompt before its first token and says at its end how much of it was cached. A worker that goes on after another may find less.
        if (batch.FindLast(update => update.Usage is not null)?.Usage is { } prompt && (turn.Prompt is not { } counted || prompt.CachedTokens > counted.CachedTokens))
        {
            records.Add(new PromptCounted(turn.Request.TurnId, prompt with { CompletionTokens = 0 }));
        }

        var emissions = ImmutableArray.CreateBuilder<Emission>(batch.Count);
        foreach (var update in batch)
        {
            if (update.Token >= 0 || update.Text.Length > 0 || update.Finish is not null)
            {
                emissions.Add(new Emission(update.Choice, update.Token, update.Text, update.Logprob, update.Finish));
            }
        }

        if (emissions.Count > 0)
        {
            records.Add(new TokensEmitted(turn.Request.TurnId, emissions.DrainToImmutable()));
        }

        return records.Count == 0 ? null : await journal.AppendAsync(records.ToImmutable());
    }

    private async Task<StorageFault?> EndAsync(ChatFailure? failure, bool cancelled, bool late)
    {
        if (late && failure is null && !turn.AllChoicesFinished)
        {
            failure = new ChatFailure(ChatFailureKind.DeadlineExceeded, "The deadline passed before the answer was whole.");
        }

        var finish = cancelled || late ? FinishReason.Cancelled : FinishReason.Failed;
        var open = turn.Choices
            .Select((choice, index) => (choice, index))
            .Where(pair => pair.choice.Finish is null)
            .Select(pair => new Emission(pair.index, -1, "", null, finish))
            .ToImmutableArray();
        var completed = new TurnCompleted(turn.Request.TurnId, surroundings.Clock.GetUtcNow(), turn.Usage, failure);
        return open.Length == 0
            ? await journal.AppendAsync(completed)
            : await journal.AppendAsync(new TokensEmitted(turn.Request.TurnId, open), completed);
    }

    private GenerateRequest Request() => new()
    {
        Tenant = conversation.Tenant,
        TurnId = turn.Request.TurnId,
        Model = ModelName.Parse(turn.Request.Model, surroundings.Workers.Serves).Base,
        Messages = journal.Tree.MessagesOf(turn),
        Options = turn.Request.Options,
        Journal = [.. turn.Choices.Select(choice => choice.Tokens.ToImmutableArray())],
        Finished = [.. turn.Choices.Select(choice => choice.Finish)],
        Priority = turn.Request.Priority,
        Deadline = turn.Request.Deadline,
        Weight = turn.Weight,
        Adapter = turn.Request.Adapter,
    };

    private TimeSpan Left()
    {
        var left = turn.Request.Deadline - surroundings.Clock.GetUtcNow();
        return left is null || left > LongestTimer ? Timeout.InfiniteTimeSpan
            : left > TimeSpan.Zero ? left.Value
            : TimeSpan.Zero;
    }

    [LoggerMessage(LogLevel.Warning, "Turn {TurnId} left worker {Worker} after {Tokens} durable tokens: {Reason}")]
    private partial void LogLeft(Guid turnId, WorkerKey worker, int tokens, string reason);

    [LoggerMessage(LogLevel.Warning, "Turn {TurnId} is interrupted: the log did not take its tokens ({Fault})")]
    private partial void LogInterrupted(Guid turnId, StorageFault fault);

    [LoggerMessage(LogLevel.Error, "Turn {TurnId} failed")]
    private partial void LogFailed(Exception fault, Guid turnId);
}

using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// A turn as its durable records tell it, and its readers. Events are a pure function of the records, so a turn read back from the log
/// has the same events under the same numbers. Used only on its grain's scheduler.
/// </summary>
internal sealed class Turn(TurnBegun begun)
{
    private readonly List<TurnEvent> _events = [];
    private readonly ChoiceState[] _choices = [.. Enumerable.Range(0, begun.Request.Options.Choices).Select(_ => new ChoiceState())];
    private TaskCompletionSource _changed = NewSignal();
    private ChatFailure? _interruption;

    public TurnRequest Request => begun.Request;

    /// <summary>Readers that follow the turn now.</summary>
    public int Followers { get; private set; }

    public DateTimeOffset BegunAt => begun.At;

    public double Weight => begun.Weight;

    public IReadOnlyList<ChoiceState> Choices => _choices;

    /// <summary>Tokens of the prompt, once a worker has counted them.</summary>
    public TokenUsage? Prompt { get; private set; }

    public TurnCompleted? End { get; private set; }

    public bool Settled { get; private set; }

    public bool AllChoicesFinished => _choices.All(choice => choice.Finish is not null);

    public bool HasTokens => _choices.Any(choice => choice.Tokens.Count > 0);

    /// <summary>What the turn used so far; null while its prompt is not counted.</summary>
    public TokenUsage? Usage => Prompt is null ? null : Prompt with { CompletionTokens = _choices.Sum(choice => choice.Tokens.Count) };

    /// <summary>Takes a record that is durable and shows it to the readers.</summary>
    public void Apply(LogRecord record)
    {
        switch (record)
        {
            case PromptCounted counted:
                Prompt = counted.Usage;
                return;
            case TokensEmitted emitted:
                foreach (var emission in emitted.Emissions)
                {
                    _choices[emission.Choice].Apply(emission);
                    _events.Add(EventOf(emission));
                }

                break;
            case TurnCompleted completed:
                End = completed;
                _events.Add(new TurnEvent { Sequence = _events.Count + 1, Completed = true, Usage = completed.Usage, Failure = completed.Failure });
                break;
            case TurnSettled:
                Settled = true;
                return;
        }

        Signal();
    }

    public bool IsInterrupted => _interruption is not null;

    /// <summary>Tells the readers, those who come later too, that the turn cannot go on for now. It has no durable end and goes on after <see cref="Resume"/>.</summary>
    public void Interrupt(ChatFailure failure)
    {
        _interruption = failure;
        Signal();
    }

    public void Resume() => _interruption = null;

    public async IAsyncEnumerable<TurnEvent> FollowAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = (int)Math.Clamp(after, 0, int.MaxValue);
        Followers++;
        try
        {
            while (true)
            {
                while (next < _events.Count)
                {
                    yield return _events[next++];
                }

                if (End is not null)
                {
                    yield break;
                }

                if (_interruption is { } failure)
                {
                    // Not an event of the log: it takes no number, so that a reader which comes back after it misses nothing.
                    yield return new TurnEvent { Sequence = _events.Count, Completed = true, Failure = failure };
                    yield break;
                }

                await _changed.Task.WaitAsync(cancellationToken);
            }
        }
        finally
        {
            Followers--;
        }
    }

    public TurnView View() => new(
        Request,
        BegunAt,
        End is not null,
        [.. _choices.Select(choice => new AnswerView(choice.Text, choice.Finish))],
        End?.Usage ?? Usage,
        End?.Failure);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TurnEvent EventOf(Emission emission) => new()
    {
        Sequence = _events.Count + 1,
        Choice = emission.Choice,
        Text = emission.Text,
        Logprobs = emission.Logprob is null ? [] : [emission.Logprob],
        Finish = emission.Finish,
    };

    private void Signal()
    {
        var changed = _changed;
        _changed = NewSignal();
        changed.SetResult();
    }
}

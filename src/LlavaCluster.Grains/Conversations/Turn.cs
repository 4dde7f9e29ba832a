using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// A turn as its durable records tell it. Events are a pure function of the records, so a turn read back from the log
/// has the same events under the same numbers. Used only on its grain's scheduler, except for its feed.
/// </summary>
internal sealed class Turn(TurnBegun begun)
{
    private readonly ChoiceState[] _choices = [.. Enumerable.Range(0, begun.Request.Options.Choices).Select(_ => new ChoiceState())];

    public TurnRequest Request => begun.Request;

    /// <summary>What readers see.</summary>
    public TurnFeed Feed { get; } = new();

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
                }

                var first = Feed.Count + 1;
                Feed.Add(emitted.Emissions.Select((emission, i) => EventOf(emission, first + i)), isEnd: false);
                return;
            case TurnCompleted completed:
                End = completed;
                Feed.Add([new TurnEvent { Sequence = Feed.Count + 1, Completed = true, Usage = completed.Usage, Failure = completed.Failure }], isEnd: true);
                return;
            case TurnSettled:
                Settled = true;
                return;
        }
    }

    public bool IsInterrupted => Feed.IsInterrupted;

    /// <summary>Tells the readers, those who come later too, that the turn cannot go on for now. It has no durable end and goes on after <see cref="Resume"/>.</summary>
    public void Interrupt(ChatFailure failure) => Feed.Interrupt(failure);

    public void Resume() => Feed.Resume();

    public TurnView View() => new(
        Request,
        BegunAt,
        End is not null,
        [.. _choices.Select(choice => new AnswerView(choice.Text, choice.Finish))],
        End?.Usage ?? Usage,
        End?.Failure);

    private static TurnEvent EventOf(Emission emission, long sequence) => new()
    {
        Sequence = sequence,
        Choice = emission.Choice,
        Text = emission.Text,
        Logprobs = emission.Logprob is null ? [] : [emission.Logprob],
        Finish = emission.Finish,
    };
}

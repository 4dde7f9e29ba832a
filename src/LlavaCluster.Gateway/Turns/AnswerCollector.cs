using System.Collections.Immutable;
using System.Text;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Turns;

/// <summary>Puts a turn's events together: each choice's text, logprobs and end, then the usage or the failure.</summary>
internal sealed class AnswerCollector
{
    private readonly Choice[] _choices;

    public AnswerCollector(int choices) => _choices = [.. Enumerable.Range(0, choices).Select(_ => new Choice())];

    public TokenUsage? Usage { get; private set; }

    public ChatFailure? Failure { get; private set; }

    public bool Completed { get; private set; }

    public ImmutableArray<CollectedAnswer> Answers =>
        [.. _choices.Select(choice => new CollectedAnswer(choice.Text.ToString(), choice.Logprobs.ToImmutable(), choice.Finish))];

    public void Add(TurnEvent step)
    {
        if ((uint)step.Choice < (uint)_choices.Length)
        {
            var choice = _choices[step.Choice];
            choice.Text.Append(step.Text);
            choice.Logprobs.AddRange(step.Logprobs);
            choice.Finish = step.Finish ?? choice.Finish;
        }

        if (step.Completed)
        {
            (Completed, Usage, Failure) = (true, step.Usage, step.Failure);
        }
    }

    private sealed class Choice
    {
        public StringBuilder Text { get; } = new();

        public ImmutableArray<TokenLogprob>.Builder Logprobs { get; } = ImmutableArray.CreateBuilder<TokenLogprob>();

        public FinishReason? Finish { get; set; }
    }
}

/// <summary>A choice as far as it was said.</summary>
internal sealed record CollectedAnswer(string Text, ImmutableArray<TokenLogprob> Logprobs, FinishReason? Finish);

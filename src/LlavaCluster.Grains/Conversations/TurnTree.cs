using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Grains.Conversations;

/// <summary>A conversation's turns, as its log tells them, in the order they began.</summary>
internal sealed class TurnTree
{
    private readonly Dictionary<Guid, Turn> _byId = [];
    private readonly List<Turn> _turns = [];
    private DateTimeOffset? _createdAt;

    public IReadOnlyList<Turn> Turns => _turns;

    public Turn? Find(Guid id) => _byId.GetValueOrDefault(id);

    /// <exception cref="InvalidDataException">The record belongs to a turn that never began.</exception>
    public void Apply(LogRecord record)
    {
        if (record is ConversationCreated created)
        {
            _createdAt ??= created.At;
            return;
        }

        if (record is TurnBegun begun)
        {
            _createdAt ??= begun.At;
            var turn = new Turn(begun);
            _byId.Add(begun.TurnId, turn);
            _turns.Add(turn);
            return;
        }

        (Find(record.TurnId) ?? throw new InvalidDataException($"A {record.GetType().Name} record names turn {record.TurnId}, which never began.")).Apply(record);
    }

    /// <summary>What a model is shown for a turn: the questions and first answers from the root down to it.</summary>
    public ImmutableArray<ChatMessage> MessagesOf(Turn turn)
    {
        var path = new Stack<Turn>();
        for (var at = turn; at is not null; at = at.Request.Parent is { } parent ? Find(parent) : null)
        {
            path.Push(at);
        }

        var messages = ImmutableArray.CreateBuilder<ChatMessage>();
        foreach (var step in path)
        {
            messages.AddRange(step.Request.Messages);
            if (step != turn)
            {
                messages.Add(new ChatMessage(ChatRole.Assistant, [MessagePart.OfText(step.Choices[0].Text)]));
            }
        }

        return messages.ToImmutable();
    }

    /// <summary>When the conversation may be dropped, if nothing more happens; null while a turn must be kept or is not settled.</summary>
    public DateTimeOffset? ExpiresAt(DateTimeOffset now, TimeSpan life) =>
        _turns.TrueForAll(turn => turn.Request.Transient) ? now + life : null;

    public ConversationHistory? History() => _createdAt is { } at ? new ConversationHistory(at, [.. _turns.Select(turn => turn.View())]) : null;
}

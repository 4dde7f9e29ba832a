namespace LlavaCluster.Training.Data.Conversations;

/// <summary>Puts a record's turns together and sees to their order. A leading answer is dropped, as LLaVA's trainer does (llava/train/train.py, preprocess_v1).</summary>
internal sealed class ConversationBuilder
{
    private readonly List<ConversationTurn> _turns = [];
    private string? _system;
    private (string Text, int Pictures)? _question;
    private int _count;

    public void Instruct(string text)
    {
        _system = _count++ == 0 ? text : throw new RecordFault(BadRecordKind.WrongTurnOrder, $"a system message must come first; was turn {_count - 1}.");
    }

    public void Ask(string text, int pictures)
    {
        if (_question is not null)
        {
            throw new RecordFault(BadRecordKind.WrongTurnOrder, $"questions and answers must take turns; turn {_count} is a second question.");
        }

        _question = (text, pictures);
        _count++;
    }

    public void Answer(string text)
    {
        var isLeading = _turns.Count == 0 && _question is null && _count == (_system is null ? 0 : 1);
        _count++;
        if (isLeading)
        {
            return;
        }

        if (_question is not { } question)
        {
            throw new RecordFault(BadRecordKind.WrongTurnOrder, $"questions and answers must take turns; turn {_count - 1} is an answer without a question.");
        }

        if (string.IsNullOrWhiteSpace(text))
        {
            throw new RecordFault(BadRecordKind.EmptyAnswer, $"an answer must not be empty; turn {_count - 1} is.");
        }

        _turns.Add(new ConversationTurn(question.Text, question.Pictures, text));
        _question = null;
    }

    public Conversation Finish(string? id, IReadOnlyList<PictureReference> pictures)
    {
        if (_question is not null || _turns.Count == 0)
        {
            throw new RecordFault(BadRecordKind.WrongTurnOrder, $"a conversation must have a question and end with an answer; it had {_turns.Count} answers to {_turns.Count + (_question is null ? 0 : 1)} questions.");
        }

        var places = _turns.Sum(turn => turn.Pictures);
        return places == pictures.Count
            ? new Conversation(id, _system, _turns, pictures)
            : throw new RecordFault(BadRecordKind.PictureCount, $"a record must have as many pictures as <image> in its questions; had {pictures.Count} and {places}.");
    }
}

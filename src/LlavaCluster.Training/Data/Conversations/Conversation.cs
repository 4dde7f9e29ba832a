namespace LlavaCluster.Training.Data.Conversations;

/// <summary>One record of a data set: turns in order, question and answer by turns, and the pictures they speak of.</summary>
/// <param name="Id">The record's own, or null where it has none.</param>
/// <param name="System">Null for the template's.</param>
internal sealed record Conversation(string? Id, string? System, IReadOnlyList<ConversationTurn> Turns, IReadOnlyList<PictureReference> Pictures)
{
    /// <summary>Words of all turns, by spaces: what samples of alike length are grouped by.</summary>
    public int Words => Turns.Sum(turn => turn.Question.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length + turn.Answer.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length);
}

/// <summary>A question with its answer.</summary>
/// <param name="Question">Without the markers of its pictures.</param>
/// <param name="Pictures">How many of the conversation's pictures, in order, belong to it.</param>
internal sealed record ConversationTurn(string Question, int Pictures, string Answer);

/// <summary>A picture by its name in the data set's store, or with its bytes.</summary>
internal sealed record PictureReference(string? Name, byte[]? Inline);

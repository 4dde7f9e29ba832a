namespace LlavaCluster.Model.Text;

/// <summary>
/// A part of a prompt before tokenisation. Text is never searched for special tokens, so what a user types stays text; special tokens and pictures come only from
/// the template, as items of their own. Neighbouring texts are tokenised as one, as if they had been one string.
/// </summary>
public abstract record PromptItem
{
    private PromptItem()
    {
    }

    /// <param name="Learned">Whether training puts loss on it.</param>
    public sealed record Words(string Text, bool Learned = false) : PromptItem;

    /// <param name="Id">A special token, such as the end of a turn.</param>
    public sealed record Special(int Id, bool Learned = false) : PromptItem;

    /// <param name="Index">Which of the conversation's pictures, from 0.</param>
    public sealed record Picture(int Index) : PromptItem;
}

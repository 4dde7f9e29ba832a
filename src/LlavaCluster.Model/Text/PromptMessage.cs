namespace LlavaCluster.Model.Text;

/// <summary>A message as a template sees it.</summary>
/// <param name="Pictures">Indices of the conversation's pictures that belong to the message; written before its text.</param>
public sealed record PromptMessage(PromptRole Role, string Text, IReadOnlyList<int> Pictures)
{
    public static PromptMessage System(string text) => new(PromptRole.System, text, []);

    public static PromptMessage User(string text, params IReadOnlyList<int> pictures) => new(PromptRole.User, text, pictures);

    public static PromptMessage Assistant(string text) => new(PromptRole.Assistant, text, []);

    /// <summary>Whether the pictures come after the text, as in half of the paper's training samples.</summary>
    public bool PicturesLast { get; init; }
}

public enum PromptRole
{
    System,
    User,
    Assistant,
}

namespace LlavaCluster.Training.Scenes;

/// <summary>What a conversation trains: the three kinds of the paper's instruction data, where things are, or a caption for stage 1.</summary>
public enum SceneConversationKind
{
    Caption,
    Conversation,
    Description,
    Reasoning,
    Places,
}

/// <summary>Questions and answers about one picture, in order; the first may not refer back.</summary>
public sealed record SceneConversation(SceneConversationKind Kind, string ImageId, IReadOnlyList<SceneQuestion> Turns);

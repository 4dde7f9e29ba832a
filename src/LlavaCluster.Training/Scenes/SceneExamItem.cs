namespace LlavaCluster.Training.Scenes;

/// <summary>One question of an examination and the key of the picture it is about.</summary>
/// <param name="Key">Of the picture.</param>
/// <param name="Question">What is graded.</param>
/// <param name="First">What is asked before it, and stays in the conversation with whatever was answered; null where the question stands alone.</param>
public sealed record SceneExamItem(SceneKey Key, SceneQuestion Question, SceneQuestion? First = null);

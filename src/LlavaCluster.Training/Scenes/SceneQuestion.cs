namespace LlavaCluster.Training.Scenes;

/// <summary>A question about a picture with the teacher's answer and what a program needs to grade another's answer.</summary>
/// <param name="Kind">How to read <paramref name="Expected"/>.</param>
/// <param name="Text">The question, without the image marker.</param>
/// <param name="Answer">What the teacher answers.</param>
/// <param name="Expected">See <see cref="SceneQuestionKind"/>; never empty.</param>
public sealed record SceneQuestion(SceneQuestionKind Kind, string Text, string Answer, IReadOnlyList<string> Expected);

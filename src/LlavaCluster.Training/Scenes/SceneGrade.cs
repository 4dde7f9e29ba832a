namespace LlavaCluster.Training.Scenes;

/// <summary>How an answer did.</summary>
/// <param name="Correct">The answer says exactly what was expected; for lists, every object and no other.</param>
/// <param name="Matched">Objects named that are there, each as often as it is there. Zero for questions that expect no list.</param>
/// <param name="Named">Objects named.</param>
/// <param name="Present">Objects that are there.</param>
public readonly record struct SceneGrade(bool Correct, int Matched, int Named, int Present);

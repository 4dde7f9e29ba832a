using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Evaluation;

/// <summary>A question, what was answered and its grade.</summary>
public sealed record ExamAnswer(SceneExamItem Item, string Answer, SceneGrade Grade);

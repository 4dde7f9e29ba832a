using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Evaluation;

/// <summary>A question, what was said before it (one turn at most), what was answered and its grade.</summary>
public sealed record ExamAnswer(SceneExamItem Item, IReadOnlyList<ExamTurn> Before, string Answer, SceneGrade Grade);

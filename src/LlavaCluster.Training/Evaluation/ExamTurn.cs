namespace LlavaCluster.Training.Evaluation;

/// <summary>What was asked and answered before in the same conversation.</summary>
public sealed record ExamTurn(string Question, string Answer);

namespace LlavaCluster.Training.Scenes;

/// <summary>One kind's result.</summary>
/// <param name="Kind">The kind of question.</param>
/// <param name="Count">Questions asked.</param>
/// <param name="Correct">Answers graded correct.</param>
/// <param name="Precision">Of the objects named, the share that is there; null where no list was asked for or nothing was named.</param>
/// <param name="Recall">Of the objects there, the share that was named; null likewise.</param>
public sealed record SceneReportRow(SceneQuestionKind Kind, int Count, int Correct, double? Precision, double? Recall)
{
    public double Accuracy => Correct / (double)Count;
}

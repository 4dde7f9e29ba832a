using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Evaluation;

/// <summary>Who answers: a model in this process or behind an API.</summary>
public interface IExaminee : IDisposable
{
    /// <summary>The most likely answer to a question about a picture, after what was said before. May be called from several threads when <see cref="Concurrency"/> is above 1.</summary>
    Task<string> AnswerAsync(Scene scene, IReadOnlyList<ExamTurn> before, string question, CancellationToken cancellationToken);

    /// <summary>Questions it can take at once; at least 1.</summary>
    int Concurrency { get; }
}

using System.Text.Json;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Evaluation;

/// <summary>Puts an examination of scenes to an examinee and grades it. The questions depend on count, seed and artists alone.</summary>
public sealed class SceneExamination(SceneRenderer renderer)
{
    private readonly SceneGrader _grader = new(renderer.Classes);

    /// <param name="questions">A multiple of <see cref="SceneQuestionSet.Unit"/>.</param>
    /// <param name="seed">Of the evaluation split, which shares no scene with training.</param>
    /// <param name="examinee">Answers.</param>
    /// <param name="progress">Questions answered so far; null for none.</param>
    /// <param name="cancellationToken">Stops between questions.</param>
    /// <returns>In the order of the questions.</returns>
    public async Task<IReadOnlyList<ExamAnswer>> RunAsync(int questions, int seed, IExaminee examinee, IProgress<int>? progress, CancellationToken cancellationToken)
    {
        var items = SceneQuestionSet.Create(renderer, new RuleTeacher(renderer.Classes), questions, seed, cancellationToken);
        var answers = new ExamAnswer[items.Count];
        var done = 0;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, items.Count),
            new ParallelOptions { MaxDegreeOfParallelism = examinee.Concurrency, CancellationToken = cancellationToken },
            async (index, token) =>
            {
                var item = items[index];
                var scene = renderer.Render(item.Key);
                ExamTurn[] before = item.First is { } first ? [new ExamTurn(first.Text, await examinee.AnswerAsync(scene, [], first.Text, token).ConfigureAwait(false))] : [];
                var answer = await examinee.AnswerAsync(scene, before, item.Question.Text, token).ConfigureAwait(false);
                answers[index] = new ExamAnswer(item, before, answer, _grader.Grade(item.Question, answer));
                progress?.Report(Interlocked.Increment(ref done));
            }).ConfigureAwait(false);
        return answers;
    }

    /// <summary>The table over all answers.</summary>
    public static SceneReport Report(IEnumerable<ExamAnswer> answers) => SceneReport.Create(answers.Select(answer => (answer.Item.Question.Kind, answer.Grade)));

    /// <summary>Figures and every answer as JSON.</summary>
    /// <param name="stream">Left open.</param>
    /// <param name="settings">What the examination was, for whoever reads the file later.</param>
    /// <param name="answers">As <see cref="RunAsync"/> gave them.</param>
    public static void WriteJson(Stream stream, IReadOnlyDictionary<string, string> settings, IReadOnlyList<ExamAnswer> answers)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        foreach (var (name, value) in settings)
        {
            json.WriteString(name, value);
        }

        json.WriteStartArray("results");
        foreach (var row in Report(answers).Rows)
        {
            WriteRow(json, row);
        }

        json.WriteEndArray();
        json.WriteStartArray("answers");
        foreach (var answer in answers)
        {
            WriteAnswer(json, answer);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteRow(Utf8JsonWriter json, SceneReportRow row)
    {
        var (low, high) = SceneReport.WilsonInterval(row.Correct, row.Count);
        json.WriteStartObject();
        json.WriteString("kind", row.Kind.ToString());
        json.WriteNumber("count", row.Count);
        json.WriteNumber("accuracy", row.Accuracy);
        json.WriteNumber("low", low);
        json.WriteNumber("high", high);
        WriteShare(json, "precision", row.Precision);
        WriteShare(json, "recall", row.Recall);
        json.WriteEndObject();
    }

    private static void WriteShare(Utf8JsonWriter json, string name, double? share)
    {
        if (share is { } value)
        {
            json.WriteNumber(name, value);
        }
    }

    private static void WriteAnswer(Utf8JsonWriter json, ExamAnswer answer)
    {
        var question = answer.Item.Question;
        json.WriteStartObject();
        json.WriteString("image", answer.Item.Key.ToString());
        json.WriteString("kind", question.Kind.ToString());
        foreach (var turn in answer.Before)
        {
            json.WriteString("first_question", turn.Question);
            json.WriteString("first_answer", turn.Answer);
        }

        json.WriteString("question", question.Text);
        json.WritePropertyName("expected");
        JsonSerializer.Serialize(json, question.Expected);
        json.WriteString("answer", answer.Answer);
        json.WriteBoolean("correct", answer.Grade.Correct);
        json.WriteEndObject();
    }
}

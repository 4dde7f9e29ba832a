using System.Text.Json;
using LlavaCluster.Training.Evaluation;
using LlavaCluster.Training.Scenes;
using LlavaCluster.Training.Tests.Scenes;

namespace LlavaCluster.Training.Tests.Evaluation;

public sealed class SceneExaminationTests
{
    private const int Questions = 56;
    private const int Seed = 5;
    private readonly SceneRenderer _renderer = new(DrawnArtwork.Library);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RunAsync_OfTheTeacherItself_IsAllCorrectInTheQuestionsOrder()
    {
        var items = SceneQuestionSet.Create(_renderer, new RuleTeacher(_renderer.Classes), Questions, Seed, Token);
        using var teacher = new Answering((scene, before, question) =>
        {
            var item = items.First(item => item.Key == scene.Key);
            Assert.Equal(question == item.Question.Text && item.First is { } first ? [new ExamTurn(first.Text, first.Answer)] : [], before);
            return question == item.Question.Text ? item.Question.Answer : item.First!.Answer;
        });

        var answers = await new SceneExamination(_renderer).RunAsync(Questions, Seed, teacher, null, Token);

        Assert.Equal(items.Select(item => item.Key), answers.Select(answer => answer.Item.Key));
        Assert.All(answers, answer => Assert.True(answer.Grade.Correct, $"{answer.Item.Question.Text} {answer.Answer}"));
    }

    [Fact]
    public async Task WriteJson_HoldsSettingsFiguresAndEveryAnswer()
    {
        using var silent = new Answering((_, _, _) => "I do not know.");
        var answers = await new SceneExamination(_renderer).RunAsync(Questions, Seed, silent, null, Token);
        using var stream = new MemoryStream();

        SceneExamination.WriteJson(stream, new Dictionary<string, string> { ["artist"] = "training" }, answers);

        using var json = JsonDocument.Parse(stream.ToArray());
        Assert.Equal("training", json.RootElement.GetProperty("artist").GetString());
        Assert.Equal(Questions, json.RootElement.GetProperty("answers").GetArrayLength());
        Assert.Equal(SceneQuestionSet.Kinds.Count, json.RootElement.GetProperty("results").GetArrayLength());
        Assert.All(json.RootElement.GetProperty("answers").EnumerateArray(), answer => Assert.Equal("I do not know.", answer.GetProperty("answer").GetString()));
    }

    private sealed class Answering(Func<Scene, IReadOnlyList<ExamTurn>, string, string> answer) : IExaminee
    {
        public int Concurrency => 4;

        public Task<string> AnswerAsync(Scene scene, IReadOnlyList<ExamTurn> before, string question, CancellationToken cancellationToken) => Task.FromResult(answer(scene, before, question));

        public void Dispose()
        {
        }
    }
}

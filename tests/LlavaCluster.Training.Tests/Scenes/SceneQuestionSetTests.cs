using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneQuestionSetTests
{
    private static readonly RuleTeacher Teacher = new(DrawnArtwork.Classes);

    private static IReadOnlyList<SceneExamItem> Create(int count, int seed = 3) =>
        SceneQuestionSet.Create(DrawnArtwork.Renderer, Teacher, count, seed, TestContext.Current.CancellationToken);

    [Fact]
    public void Create_IsBalancedOverKindsAndAnswersOnFreshPicturesOnly()
    {
        var items = Create(280);

        Assert.All(SceneQuestionSet.Kinds, kind => Assert.Equal(40, items.Count(item => item.Question.Kind == kind)));
        Assert.Equal(["no:20", "yes:20"], Tally(items, SceneQuestionKind.Presence));
        Assert.Equal(["1:10", "2:10", "3:10", "4:10"], Tally(items, SceneQuestionKind.Counting));
        Assert.All(items, item => Assert.Equal(item.Question.Kind == SceneQuestionKind.FollowUp, item.First is not null));
        Assert.Equal(280, items.Select(item => item.Key).Distinct().Count());
        Assert.All(items, item => Assert.Equal(SceneSplit.Evaluation, item.Key.Split));
    }

    [Fact]
    public void Create_SameSeed_GivesTheSameQuestions()
    {
        static IEnumerable<string> Texts(IEnumerable<SceneExamItem> items) => items.Select(item => $"{item.Key} {item.Question.Text}");

        Assert.Equal(Texts(Create(28)), Texts(Create(28)));
        Assert.NotEqual(Texts(Create(28)), Texts(Create(28, seed: 4)));
    }

    [Fact]
    public void Create_WhenCountIsNoMultipleOfTheUnit_NamesTheRule() => Assert.StartsWith(
        "count must be a positive multiple of 28; was 30.", Assert.Throws<ArgumentOutOfRangeException>(() => Create(30)).Message);

    private static IEnumerable<string> Tally(IEnumerable<SceneExamItem> items, SceneQuestionKind kind) => items
        .Where(item => item.Question.Kind == kind)
        .GroupBy(item => item.Question.Expected[0])
        .OrderBy(group => group.Key, StringComparer.Ordinal)
        .Select(group => $"{group.Key}:{group.Count()}");
}

using LlavaCluster.Model.Text;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Evaluation;
using LlavaCluster.Training.Scenes;
using LlavaCluster.Training.Tests.Scenes;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Evaluation;

public sealed class ModelExamineeTests
{
    [Fact]
    public async Task AnswerAsync_DependsOnThePictureAndTheQuestionAlone()
    {
        set_num_threads(1);
        using var examinee = new ModelExaminee(Goldens.Path("a_llava15"), ConversationTemplate.Bare);
        var (first, second) = (Scene(0), Scene(1));

        var alone = await examinee.AnswerAsync(first, [], "What is this?", TestContext.Current.CancellationToken);
        var other = await examinee.AnswerAsync(second, [], "How many are there?", TestContext.Current.CancellationToken);
        var again = await examinee.AnswerAsync(first, [], "What is this?", TestContext.Current.CancellationToken);

        Assert.NotEqual("", alone);
        Assert.NotEqual(alone, other);
        Assert.Equal(alone, again);
        Assert.NotEqual(alone, await examinee.AnswerAsync(first, [new ExamTurn("How many are there?", "There are two.")], "What is this?", TestContext.Current.CancellationToken));
    }

    private static Scene Scene(long index) => DrawnArtwork.Renderer.Render(SceneKey.Create(SceneSplit.Evaluation, 1, index));
}

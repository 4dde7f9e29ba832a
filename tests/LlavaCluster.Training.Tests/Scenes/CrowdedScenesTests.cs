using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class CrowdedScenesTests
{
    private static readonly RuleTeacher Teacher = new();

    [Fact]
    public void Create_ManyScenes_ShowsEveryObjectInOnePatchAndNoClassTwice()
    {
        for (var index = 0; index < 500; index++)
        {
            var (annotation, patches) = Create(index);

            Assert.InRange(annotation.Instances.Count, 2, 12);
            Assert.Equal(CrowdedScenes.Patches, patches.Length);
            Assert.Equal(annotation.Instances.Count, annotation.Instances.Select(instance => instance.Category).Distinct().Count());
            var shown = patches.Where(patch => patch.Label != Scene.BackgroundLabel).ToList();
            Assert.Equal(
                annotation.Instances.Select(instance => (instance.Category, instance.Box.CentreX / annotation.Width, instance.Box.CentreY / annotation.Height)).Order(),
                shown.Select(patch => (SceneClasses.Default[patch.Label - 1].Name, patch.X, patch.Y)).Order());
            Assert.All(shown, patch => Assert.Equal(1, patch.Middle));
        }
    }

    [Fact]
    public void Create_Twice_GivesTheSameSceneAndAnotherKeyAnother()
    {
        Assert.Equal(Create(7).Patches, Create(7).Patches);
        Assert.NotEqual(Create(7).Patches, Create(8).Patches);
    }

    [Fact]
    public void Teach_OfPlacesInACrowd_AsksAfterThemAllInEveryWording()
    {
        var wordings = new HashSet<string>();
        for (var index = 0; index < 300; index++)
        {
            var annotation = Create(index).Annotation;
            var conversation = Teacher.Teach(annotation, SceneConversationKind.Places, (ulong)index);

            var turn = Assert.Single(conversation.Turns);
            Assert.Equal((SceneConversationKind.Places, SceneQuestionKind.Locations), (conversation.Kind, turn.Kind));
            var names = annotation.Instances.Any(instance => turn.Text.Contains(instance.Category, StringComparison.Ordinal));
            Assert.InRange(turn.Expected.Count, annotation.Instances.Count - (names ? 1 : 0), annotation.Instances.Count); // questions that name what they ask for leave one out at times
            wordings.Add(names ? "names" : turn.Text);
        }

        Assert.Equal(7, wordings.Count);
    }

    private static (SceneAnnotation Annotation, ScenePatch[] Patches) Create(long index) =>
        CrowdedScenes.Create(SceneClasses.Default, SceneKey.Create(SceneSplit.Training, 1, index));
}

namespace LlavaCluster.Training.Scenes;

/// <summary>What is in the picture: as a caption, as a list, or as a detailed description with numbers and places.</summary>
internal static class DescriptionQuestions
{
    private static readonly string[] CaptionRequests =
        ["Describe the picture briefly.", "Write a short caption.", "Give a short description of the picture.", "What does the picture show, in one sentence?"];

    private static readonly string[] ContentFrames =
        ["What is in the picture?", "What can you see in the picture?", "What objects are in the picture?", "Which objects do you see?", "What does the picture show?"];

    private static readonly string[] DetailRequests =
        ["Describe the picture in detail.", "Give a detailed description of the picture.", "What do you see in the picture? Describe it in detail.", "Tell me everything about this picture.", "Describe all objects in the picture and where they are.", "Please explain the picture in detail."];

    public static SceneQuestion AskCaption(SceneView view, SceneAnnotation annotation, SceneRandom random) =>
        new(SceneQuestionKind.Contents, random.Pick(CaptionRequests), random.Pick(annotation.Captions), Expected(view));

    public static SceneQuestion AskContents(SceneView view, SceneRandom random)
    {
        var phrases = view.Groups.Select(group => SceneWording.Counted(group.Class, group.Count));
        return new(SceneQuestionKind.Contents, random.Pick(ContentFrames), $"The picture shows {SceneWording.List([.. phrases])}.", Expected(view));
    }

    /// <summary>
    /// Each object in reading order, its place first, and then how many there are: where to look is settled before what is there, and the sum is read off the text
    /// (said first, a wrong sum makes the rest of the description wrong).
    /// </summary>
    public static SceneQuestion Ask(SceneView view, SceneRandom random)
    {
        if (view.Things.Count == 0)
        {
            return new(SceneQuestionKind.Description, random.Pick(DetailRequests), "There is nothing in the picture.", Expected(view));
        }

        var sum = view.Things.Count == 1 ? "There is one object in the picture." : $"There are {SceneWording.Number(view.Things.Count)} objects in the picture.";
        var sentences = view.Things.Select(thing => SceneWording.Sentence($"{thing.Place.Phrase()} is {thing.Class.Indefinite}."));
        return new(SceneQuestionKind.Description, random.Pick(DetailRequests), string.Join(' ', [.. sentences, sum]), Expected(view));
    }

    private static IReadOnlyList<string> Expected(SceneView view) => view.Things.Count == 0 ? ["nothing"] : view.Categories;
}

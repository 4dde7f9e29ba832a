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

    private static readonly string[] Openings = ["The picture shows {0}: {1}.", "There {2} {0} in the picture: {1}."];

    public static SceneQuestion AskCaption(SceneView view, SceneAnnotation annotation, SceneRandom random) =>
        new(SceneQuestionKind.Contents, random.Pick(CaptionRequests), random.Pick(annotation.Captions), Expected(view));

    public static SceneQuestion AskContents(SceneView view, SceneRandom random)
    {
        var phrases = view.Groups.Select(group => SceneWording.Counted(group.Class, group.Count));
        return new(SceneQuestionKind.Contents, random.Pick(ContentFrames), $"The picture shows {SceneWording.List([.. phrases])}.", Expected(view));
    }

    /// <summary>One opening that counts everything, then every object with its place, in reading order.</summary>
    public static SceneQuestion Ask(SceneView view, SceneRandom random)
    {
        if (view.Things.Count == 0)
        {
            return new(SceneQuestionKind.Description, random.Pick(DetailRequests), "There is nothing in the picture.", Expected(view));
        }

        var groups = view.Groups.OrderBy(group => view.Things.Where(thing => thing.Class == group.Class).Min(ReadingOrder)).ToList();
        var total = view.Things.Count == 1 ? "one object" : $"{SceneWording.Number(view.Things.Count)} objects";
        var list = SceneWording.List([.. groups.Select(group => SceneWording.Counted(group.Class, group.Count))]);
        var sentences = new List<string> { string.Format(null, random.Pick(Openings), total, list, view.Things.Count == 1 ? "is" : "are") };
        sentences.AddRange(groups.Select(group => PlaceSentence(view, group.Class)));
        return new(SceneQuestionKind.Description, random.Pick(DetailRequests), string.Join(' ', sentences), Expected(view));
    }

    private static string PlaceSentence(SceneView view, SceneClass item)
    {
        var places = view.Things.Where(thing => thing.Class == item).OrderBy(ReadingOrder).Select(thing => thing.Place.Phrase()).ToList();
        return places.Count == 1
            ? $"The {item.Name} is {places[0]}."
            : $"The {item.Plural} are {SceneWording.List(places)}.";
    }

    // Rows of ninths first, columns inside a row.
    private static int ReadingOrder(SceneThing thing) => thing.Place.Row * 3 + thing.Place.Column;

    private static IReadOnlyList<string> Expected(SceneView view) => view.Things.Count == 0 ? ["nothing"] : view.Categories;
}

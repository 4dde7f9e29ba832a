namespace LlavaCluster.Training.Scenes;

/// <summary>Where is the X? Asked for a thing that is alone of its class and well inside one ninth of the picture.</summary>
internal static class LocationQuestions
{
    private const float ClearMargin = 0.04f;
    private static readonly string[] Frames = ["Where is the {0}?", "Where is the {0} in the picture?", "Where can you see the {0}?", "In which part of the picture is the {0}?"];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random)
    {
        var candidates = view.Unique.Where(thing => thing.PlaceMargin >= ClearMargin).ToList();
        if (candidates.Count == 0)
        {
            return null;
        }

        var thing = random.Pick(candidates);
        return new(
            SceneQuestionKind.Location,
            SceneWording.Fill(random, Frames, thing.Class.Name),
            $"The {thing.Class.Name} is {thing.Place.Phrase()} of the picture.",
            [thing.Place.Name]);
    }
}

namespace LlavaCluster.Training.Scenes;

/// <summary>Where is the X? Where are the X and the Y? Asked for things that are alone of their class and well inside one ninth of the picture.</summary>
internal static class LocationQuestions
{
    private const float ClearMargin = 0.025f;
    private static readonly string[] Frames = ["Where is the {0}?", "Where is the {0} in the picture?", "Where can you see the {0}?", "In which part of the picture is the {0}?"];
    private static readonly string[] ListFrames = ["Where are {0}?", "Where in the picture are {0}?", "Where can you see {0}?", "Tell me where {0} are."];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random)
    {
        var candidates = Candidates(view);
        if (candidates.Count == 0)
        {
            return null;
        }

        var thing = random.Pick(candidates);
        return new(SceneQuestionKind.Location, SceneWording.Fill(random, Frames, thing.Class.Name), $"{SceneWording.Sentence(Placed(thing))} of the picture.", [thing.Place.Name]);
    }

    /// <summary>Several at once, in any order: each answer looks up one name after the other, which is what questions about two things rest on.</summary>
    public static SceneQuestion? TryAskSeveral(SceneView view, SceneRandom random)
    {
        var candidates = Candidates(view);
        if (candidates.Count < 2)
        {
            return null;
        }

        random.Shuffle(candidates);
        var asked = candidates.Take(Math.Max(2, candidates.Count - random.Next(2))).ToList();
        var names = SceneWording.List(asked.ConvertAll(thing => $"the {thing.Class.Name}"));
        return new(SceneQuestionKind.Locations, SceneWording.Fill(random, ListFrames, names), $"{SceneWording.Sentence(SceneWording.List(asked.ConvertAll(Placed)))}.", asked.ConvertAll(thing => thing.Place.Name));
    }

    private static List<SceneThing> Candidates(SceneView view) => [.. view.Unique.Where(thing => thing.PlaceMargin >= ClearMargin)];

    private static string Placed(SceneThing thing) => $"the {thing.Class.Name} is {thing.Place.Phrase()}";
}

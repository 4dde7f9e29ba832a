namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Where is the X? Where are the X and the Y? Where is everything? Asked for things that are alone of their class and well inside one ninth of the picture. Looking names up is
/// what all questions about two things rest on, and a small network learns it from many names an answer, some of them with the place right behind.
/// </summary>
internal static class LocationQuestions
{
    private const float ClearMargin = 0.025f;
    private static readonly string[] Frames = ["Where is the {0}?", "Where is the {0} in the picture?", "Where can you see the {0}?", "In which part of the picture is the {0}?"];
    private static readonly string[] ListFrames = ["Where are {0}?", "Where in the picture are {0}?", "Where can you see {0}?", "Tell me where {0} are."];
    private static readonly string[] AllFrames = ["Where is everything?", "Tell me where everything is.", "Where are all the objects?"];
    private static readonly string[] LabelFrames = ["List the objects and their places.", "Name each object and its place.", "Label the objects."];

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

    /// <summary>Several at once, in any order.</summary>
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
        return Several(SceneWording.Fill(random, ListFrames, names), Sentence(asked), asked);
    }

    /// <summary>All there are, in reading order: in a sentence, or as a list of names and places. Null unless every one is clear.</summary>
    public static SceneQuestion? TryAskAll(SceneView view, SceneRandom random)
    {
        var things = Candidates(view);
        if (things.Count == 0 || things.Count < view.Things.Count)
        {
            return null;
        }

        return random.Chance(0.5f)
            ? Several(random.Pick(AllFrames), Sentence(things), things)
            : Several(random.Pick(LabelFrames), $"{string.Join(", ", things.ConvertAll(Label))}.", things);
    }

    private static SceneQuestion Several(string text, string answer, List<SceneThing> things) => new(SceneQuestionKind.Locations, text, answer, things.ConvertAll(Label));

    private static List<SceneThing> Candidates(SceneView view) => [.. view.Unique.Where(thing => thing.PlaceMargin >= ClearMargin)];

    private static string Sentence(List<SceneThing> things) => $"{SceneWording.Sentence(SceneWording.List(things.ConvertAll(Placed)))}.";

    private static string Placed(SceneThing thing) => $"the {thing.Class.Name} is {thing.Place.Phrase()}";

    private static string Label(SceneThing thing) => $"{thing.Class.Name} {thing.Place.Name}";
}

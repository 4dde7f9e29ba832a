namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Questions that need knowledge beside the picture: which of these can fly, be eaten, has wheels. A question is passed over
/// where the picture holds a thing about which people would argue.
/// </summary>
internal static class ReasoningQuestions
{
    private static readonly Topic[] Topics =
    [
        new("flies", ["Which of these can fly?", "What in the picture can fly?", "Is there something that can fly?"], "can fly"),
        new("water", ["Which of these lives in the water?", "What in the picture lives in the sea?"], "lives in the water", "live in the water"),
        new("edible", ["Which of these can be eaten?", "What could a hungry person eat?", "Is there something to eat?"], "can be eaten"),
        new("fruit", ["Which of these is a fruit?", "Is there any fruit?"], "is a fruit", "are fruits"),
        new("wheels", ["Which of these has wheels?", "What in the picture has wheels?"], "has wheels", "have wheels"),
        new("rideable", ["Which of these can carry a person?", "Is there something to ride?", "What could you use to travel?"], "can carry a person"),
        new("wearable", ["Which of these can you wear?", "Is there something to wear?"], "can be worn"),
        new("music", ["Which of these makes music?", "What could a musician play?"], "can play music"),
        new("legs4", ["Which of these has four legs?", "What in the picture has four legs?"], "has four legs", "have four legs"),
        new("flower", ["Which of these is a flower?", "Is there any flower?"], "is a flower", "are flowers"),
        new("shines", ["Which of these gives light?", "What could shine at night or by day?"], "gives light", "give light"),
    ];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random)
    {
        if (view.Things.Count == 0)
        {
            return null;
        }

        if (random.Chance(0.15f))
        {
            return AskKind(view, random);
        }

        var topics = Topics.Where(topic => !view.Groups.Any(group => group.Class.Unclear.Contains(topic.Trait))).ToList();
        var fruitful = topics.Where(topic => view.Groups.Any(group => group.Class.Traits.Contains(topic.Trait))).ToList();
        var pool = fruitful.Count > 0 && random.Chance(0.85f) ? fruitful : topics;
        if (pool.Count == 0)
        {
            return null;
        }

        var topic = random.Pick(pool);
        var matches = view.Groups.Where(group => group.Class.Traits.Contains(topic.Trait)).ToList();
        return new(SceneQuestionKind.Reasoning, random.Pick(topic.Questions), Answer(topic, matches), Expected(matches));
    }

    /// <summary>Which of these are animals? And so on for the kinds that have a plain word.</summary>
    private static SceneQuestion? AskKind(SceneView view, SceneRandom random)
    {
        var kinds = (string[])["animal", "vehicle"];
        var kind = random.Pick(kinds);
        var matches = view.Groups.Where(group => group.Class.Kind == kind).ToList();
        var topic = new Topic(kind, [$"Which of these is {Article(kind)} {kind}?", $"Is there any {kind} in the picture?"], $"is {Article(kind)} {kind}", $"are {kind}s");
        return new(SceneQuestionKind.Reasoning, random.Pick(topic.Questions), Answer(topic, matches), Expected(matches));
    }

    private static string Article(string kind) => kind[0] == 'a' ? "an" : "a";

    private static string Answer(Topic topic, List<(SceneClass Class, int Count)> matches)
    {
        if (matches.Count == 0)
        {
            return $"Nothing in the picture {topic.Singular}.";
        }

        var names = matches.Select(match => "the " + (match.Count == 1 ? match.Class.Name : match.Class.Plural));
        var plural = matches.Count > 1 || matches[0].Count > 1;
        return SceneWording.Sentence($"{SceneWording.List([.. names])} {(plural ? topic.Plural : topic.Singular)}.");
    }

    private static IReadOnlyList<string> Expected(List<(SceneClass Class, int Count)> matches) =>
        matches.Count == 0 ? ["nothing"] : [.. matches.Select(match => match.Class.Name)];

    private sealed record Topic(string Trait, string[] Questions, string Singular, string? PluralForm = null)
    {
        public string Plural => PluralForm ?? Singular;
    }
}

namespace LlavaCluster.Training.Scenes;

/// <summary>Is there an X? Half of the answers are yes; absent classes are half of the time of a kind that is present.</summary>
internal static class PresenceQuestions
{
    private static readonly string[] Frames =
        ["Is there {0} in the picture?", "Is there {0} in this image?", "Do you see {0}?", "Can you see {0} in the picture?", "Does the picture show {0}?", "Is {0} in the picture?"];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random) =>
        random.Chance(0.5f) ? AskPresent(view, random) : AskAbsent(view, random);

    private static SceneQuestion? AskPresent(SceneView view, SceneRandom random)
    {
        if (view.Groups.Count == 0)
        {
            return null;
        }

        var (item, count) = random.Pick(view.Groups);
        var answer = $"Yes, there {(count == 1 ? "is" : "are")} {SceneWording.Counted(item, count)}.";
        return new(SceneQuestionKind.Presence, SceneWording.Fill(random, Frames, item.Indefinite), answer, ["yes"]);
    }

    private static SceneQuestion? AskAbsent(SceneView view, SceneRandom random)
    {
        var kinds = view.Groups.Select(group => group.Class.Kind).ToHashSet();
        var related = random.Chance(0.5f);
        var absent = view.Classes.Items
            .Where(item => view.CountOf(item) == 0 && (!related || kinds.Contains(item.Kind)))
            .ToList();
        if (absent.Count == 0)
        {
            return null;
        }

        var item = random.Pick(absent);
        return new(SceneQuestionKind.Presence, SceneWording.Fill(random, Frames, item.Indefinite), $"No, there is no {item.Name}.", ["no"]);
    }
}

using System.Globalization;

namespace LlavaCluster.Training.Scenes;

/// <summary>How many X are there? One to four of a class, sometimes none, sometimes all objects together.</summary>
internal static class CountingQuestions
{
    private static readonly string[] Frames =
        ["How many {0} are there?", "How many {0} are in the picture?", "How many {0} can you see?", "Count the {0}."];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random)
    {
        if (view.Things.Count == 0)
        {
            return null;
        }

        var draw = random.NextSingle();
        if (draw < 0.06f)
        {
            return AskAbsent(view, random);
        }

        if (draw < 0.14f)
        {
            return Question(random, "objects", view.Things.Count, view.Things.Count == 1 ? "one object" : SceneWording.Number(view.Things.Count) + " objects");
        }

        // Drawing an object rather than a class makes high counts as common as low ones.
        var item = random.Pick(view.Things).Class;
        var count = view.CountOf(item);
        return Question(random, item.Plural, count, count == 1 ? "one " + item.Name : SceneWording.Counted(item, count));
    }

    private static SceneQuestion AskAbsent(SceneView view, SceneRandom random)
    {
        var item = random.Pick([.. view.Classes.Items.Where(candidate => view.CountOf(candidate) == 0)]);
        return Question(random, item.Plural, 0, "no " + item.Plural);
    }

    private static SceneQuestion Question(SceneRandom random, string plural, int count, string counted) => new(
        SceneQuestionKind.Counting,
        SceneWording.Fill(random, Frames, plural),
        $"There {(count == 1 ? "is" : "are")} {counted}.",
        [count.ToString(CultureInfo.InvariantCulture)]);
}

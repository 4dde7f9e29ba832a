using System.Globalization;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// How many X are there? One to four of a class, sometimes none, sometimes all objects together. Answers point at each one before they give the number: a small model counts
/// what it has said more surely than what it sees.
/// </summary>
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
            var all = view.Things.Count == 1 ? "one object" : SceneWording.Number(view.Things.Count) + " objects";
            return Question(random, "objects", view.Things.Count, Pointed(view.Things.Select(thing => $"{thing.Class.Indefinite} {thing.Place.Name}"), all));
        }

        // Drawing an object rather than a class makes high counts as common as low ones.
        var item = random.Pick(view.Things).Class;
        var count = view.CountOf(item);
        var counted = count == 1 ? "one " + item.Name : SceneWording.Counted(item, count);
        return Question(random, item.Plural, count, Pointed(view.Things.Where(thing => thing.Class == item).Select(thing => thing.Place.Name), counted));
    }

    private static SceneQuestion AskAbsent(SceneView view, SceneRandom random)
    {
        var item = random.Pick([.. view.Classes.Items.Where(candidate => view.CountOf(candidate) == 0)]);
        return Question(random, item.Plural, 0, $"There are no {item.Plural}.");
    }

    /// <summary>"Top left and center: two dogs."</summary>
    private static string Pointed(IEnumerable<string> each, string counted) => $"{SceneWording.Sentence(SceneWording.List([.. each]))}: {counted}.";

    private static SceneQuestion Question(SceneRandom random, string plural, int count, string answer) =>
        new(SceneQuestionKind.Counting, SceneWording.Fill(random, Frames, plural), answer, [count.ToString(CultureInfo.InvariantCulture)]);
}

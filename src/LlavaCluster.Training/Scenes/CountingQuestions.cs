using System.Globalization;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// How many X are there? One to four of a class, sometimes none, sometimes all objects together. The number comes first: it is seen at once, and one object too many or too few in a
/// list said before it would make it wrong. Where each is follows, so that whoever learns the number learns what makes it up.
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
            return Question(random, "objects", view.Things.Count, Answer(all, view.Things.Select(thing => $"{thing.Class.Indefinite} {thing.Place.Name}")));
        }

        // Drawing an object rather than a class makes high counts as common as low ones.
        return AskClass(view, random.Pick(view.Things).Class, random);
    }

    /// <summary>Of a class that comes twice or more; null where none does.</summary>
    public static SceneQuestion? TryAskRepeated(SceneView view, SceneRandom random)
    {
        var repeated = view.Things.Where(thing => view.CountOf(thing.Class) > 1).ToList();
        return repeated.Count == 0 ? null : AskClass(view, random.Pick(repeated).Class, random);
    }

    private static SceneQuestion AskClass(SceneView view, SceneClass item, SceneRandom random)
    {
        var count = view.CountOf(item);
        var counted = count == 1 ? "one " + item.Name : SceneWording.Counted(item, count);
        return Question(random, item.Plural, count, Answer(counted, view.Things.Where(thing => thing.Class == item).Select(thing => thing.Place.Name)));
    }

    private static SceneQuestion AskAbsent(SceneView view, SceneRandom random)
    {
        var item = random.Pick([.. view.Classes.Items.Where(candidate => view.CountOf(candidate) == 0)]);
        return Question(random, item.Plural, 0, $"There are no {item.Plural}.");
    }

    /// <summary>"Two dogs: top left and center."</summary>
    private static string Answer(string counted, IEnumerable<string> each) => $"{SceneWording.Sentence(counted)}: {SceneWording.List([.. each])}.";

    private static SceneQuestion Question(SceneRandom random, string plural, int count, string answer) =>
        new(SceneQuestionKind.Counting, SceneWording.Fill(random, Frames, plural), answer, [count.ToString(CultureInfo.InvariantCulture)]);
}

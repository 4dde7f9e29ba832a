using System.Globalization;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Grades answers without a language model: tolerant to wording, strict to content. An answer that also says something else
/// of the kind asked for ("a dog or a cat", "yes and no") is wrong. Pure and thread-safe.
/// </summary>
public sealed class SceneGrader
{
    private static readonly string[] ClauseEnds = [",", ".", ";", " and "];

    private readonly SceneNames _names;

    public SceneGrader(SceneClasses? classes = null) => _names = new SceneNames(classes ?? SceneClasses.Default);

    public SceneGrade Grade(SceneQuestion question, string answer)
    {
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(answer);
        var text = new SceneText(_names, answer);
        return question.Kind switch
        {
            SceneQuestionKind.Contents or SceneQuestionKind.Description => GradeList(question, text),
            SceneQuestionKind.Presence => Plain(Polarity(text) == question.Expected[0]),
            SceneQuestionKind.Counting => Plain(SaysNumber(text, int.Parse(question.Expected[0], CultureInfo.InvariantCulture))),
            SceneQuestionKind.Naming or SceneQuestionKind.FollowUp => Plain(text.Categories.SetEquals(question.Expected)),
            SceneQuestionKind.Relation => Plain(SaysRelation(question, text)),
            SceneQuestionKind.Location => Plain(SaysPlace(text, question.Expected[0])),
            SceneQuestionKind.Locations => Plain(SaysPlaces(question, answer)),
            SceneQuestionKind.Reasoning => Plain(SaysSet(question, text)),
            _ => throw new ArgumentOutOfRangeException(nameof(question), question.Kind, $"kind must be a question kind; was {question.Kind}."),
        };
    }

    private static SceneGrade Plain(bool correct) => new(correct, 0, 0, 0);

    private static SceneGrade GradeList(SceneQuestion question, SceneText text)
    {
        var present = question.Expected.Where(category => category != "nothing").GroupBy(category => category).ToDictionary(group => group.Key, group => group.Count());
        var named = text.Counts();
        var matched = present.Sum(entry => Math.Min(entry.Value, named.GetValueOrDefault(entry.Key)));
        var (namedTotal, presentTotal) = (named.Values.Sum(), present.Values.Sum());
        return new(matched == namedTotal && matched == presentTotal, matched, namedTotal, presentTotal);
    }

    /// <summary>"yes", "no", or null when the text says neither or both.</summary>
    private static string? Polarity(SceneText text)
    {
        var yes = text.HasAny("yes", "yeah", "yep", "correct", "true");
        var no = text.HasAny("no", "not", "nope", "none", "isn't", "aren't", "doesn't", "don't", "false");
        return yes == no ? null : yes ? "yes" : "no";
    }

    private static bool SaysNumber(SceneText text, int expected)
    {
        var numbers = text.DistinctNumbers();
        return numbers.Count switch
        {
            0 => expected == 1 && text.HasAny("a", "an"),
            1 => numbers.Contains(expected),
            _ => false,
        };
    }

    private bool SaysRelation(SceneQuestion question, SceneText text)
    {
        var expected = question.Expected[0];
        if (expected is "yes" or "no")
        {
            return Polarity(text) == expected;
        }

        if (SceneDirection.All.Any(direction => direction.Name == expected))
        {
            return Directions(text).SequenceEqual([expected]);
        }

        // "It is the dog, to the left of the cat": what the question itself names is no answer.
        var asked = new SceneText(_names, question.Text).Categories;
        return text.Categories.Where(category => category == expected || !asked.Contains(category)).SequenceEqual([expected]);
    }

    private static IEnumerable<string> Directions(SceneText text)
    {
        if (text.HasAny("left"))
        {
            yield return "left";
        }

        if (text.HasAny("right"))
        {
            yield return "right";
        }

        if (text.HasAny("above", "over", "higher"))
        {
            yield return "above";
        }

        if (text.HasAny("below", "under", "underneath", "beneath", "lower"))
        {
            yield return "below";
        }
    }

    private bool SaysPlace(SceneText text, string expected) =>
        Place(text) is { } place && place == Place(new SceneText(_names, expected));

    /// <summary>Every thing that was asked for with its place, each in a clause of its own and in any order, and nothing else.</summary>
    private bool SaysPlaces(SceneQuestion question, string answer)
    {
        var said = answer.Split(ClauseEnds, StringSplitOptions.None).Select(clause => new SceneText(_names, clause)).Where(clause => clause.Mentions.Count > 0).ToList();
        return said.Count == question.Expected.Count && question.Expected.All(expected =>
            said.Where(clause => clause.Categories.SetEquals(new SceneText(_names, expected).Categories)).ToList() is [var clause] && SaysPlace(clause, expected));
    }

    /// <summary>The ninth the text speaks of; null when it speaks of none or contradicts itself.</summary>
    private static ScenePlace? Place(SceneText text)
    {
        var (left, right) = (text.HasAny("left"), text.HasAny("right"));
        var (top, bottom) = (text.HasAny("top", "upper", "above"), text.HasAny("bottom", "lower", "below"));
        if ((left && right) || (top && bottom))
        {
            return null;
        }

        var place = new ScenePlace(left ? -1 : right ? 1 : 0, top ? -1 : bottom ? 1 : 0);
        return place != default || text.HasAny("center", "centre", "middle") ? place : null;
    }

    private static bool SaysSet(SceneQuestion question, SceneText text) => question.Expected[0] == "nothing"
        ? text.Categories.Count == 0 && text.HasAny("nothing", "none", "no", "not")
        : text.Categories.SetEquals(question.Expected);
}

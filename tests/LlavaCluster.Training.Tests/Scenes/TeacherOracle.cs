using System.Globalization;
using System.Text.RegularExpressions;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

/// <summary>
/// Answers the teacher's questions a second time, from the question's text and the boxes alone, by code that shares nothing
/// with the teacher but the class list. It also says when a question was not clear.
/// </summary>
internal sealed class TeacherOracle(SceneAnnotation annotation)
{
    private const double Clear = 0.15;
    private readonly List<SceneInstance> _all = InReadingOrder(annotation);

    /// <summary>Row by row of a grid of nine, and from left to right.</summary>
    public static List<SceneInstance> InReadingOrder(SceneAnnotation annotation) => [.. annotation.Instances.OrderBy(item => Third(Y(item))).ThenBy(item => Third(X(item))).ThenBy(X)];

    public IReadOnlyList<string> Answer(SceneQuestion question) => question.Kind switch
    {
        SceneQuestionKind.Presence => [Count(ClassAfterArticle(question.Text)) > 0 ? "yes" : "no"],
        SceneQuestionKind.Counting => [Total(question.Text).ToString(CultureInfo.InvariantCulture)],
        SceneQuestionKind.Naming => [Named(question.Text).Category],
        SceneQuestionKind.Relation => [Related(question.Text)],
        SceneQuestionKind.Location => [Ninth(Single(question.Text))],
        SceneQuestionKind.Locations => [.. Asked(question).Select(item => $"{item.Category} {Ninth(item)}")],
        SceneQuestionKind.Reasoning => throw new NotSupportedException("Reasoning is checked against the class file."),
        _ => [.. _all.Select(instance => instance.Category)],
    };

    // All where the question names none.
    private List<SceneInstance> Asked(SceneQuestion question)
    {
        var named = Regex.Split(question.Text, ",| and ").Where(part => SceneClasses.Default.Items.Any(item => Regex.IsMatch(part, $@"\bthe {item.Name}\b"))).Select(Single).ToList();
        return named.Count > 0 ? named : _all;
    }

    private static int Third(double share) => share < 1 / 3.0 ? 0 : share > 2 / 3.0 ? 2 : 1;

    private static double X(SceneInstance item) => (item.Box.X + item.Box.Width / 2.0) / SceneSamples.Side;

    private static double Y(SceneInstance item) => (item.Box.Y + item.Box.Height / 2.0) / SceneSamples.Side;

    private int Count(string category) => _all.Count(instance => instance.Category == category);

    private static string ClassAfterArticle(string text) =>
        SceneClasses.Default.Items.Where(item => Regex.IsMatch(text, $@"\ban? {item.Name}\b")).MaxBy(item => item.Name.Length)!.Name;

    private int Total(string text) => text.Contains("objects", StringComparison.Ordinal)
        ? _all.Count
        : Count(SceneClasses.Default.Items.Single(item => Regex.IsMatch(text, $@"\b{item.Plural}\b")).Name);

    /// <summary>The one instance of the class that "the X" names; fails when there are several.</summary>
    private SceneInstance Single(string text)
    {
        var category = SceneClasses.Default.Items.Where(item => Regex.IsMatch(text, $@"\bthe {item.Name}\b")).MaxBy(item => item.Name.Length)!.Name;
        return _all.Single(instance => instance.Category == category);
    }

    private SceneInstance Named(string text)
    {
        if (_all.Count == 1)
        {
            return _all[0];
        }

        (string Word, Func<SceneInstance, double> Key, double Margin)[] extremes =
        [
            ("leftmost", X, Clear), ("rightmost", item => -X(item), Clear), ("highest", Y, Clear), ("lowest", item => -Y(item), Clear),
            ("smallest", item => Math.Log(item.Box.Area), 0.4), ("largest", item => -Math.Log(item.Box.Area), 0.4),
        ];
        foreach (var (word, key, margin) in extremes.Where(extreme => text.Contains(extreme.Word, StringComparison.Ordinal)))
        {
            var ordered = _all.OrderBy(key).ToList();
            Assert.True(key(ordered[1]) - key(ordered[0]) >= margin, text);
            return ordered[0];
        }

        return _all.Single(item => InPlace(item, text));
    }

    private static bool InPlace(SceneInstance item, string text)
    {
        bool Says(string word) => Regex.IsMatch(text, $@"\b{word}\b");
        if (Says("center"))
        {
            return Ninth(item) == "center";
        }

        return (!Says("left") || X(item) < 1 / 3.0) && (!Says("right") || X(item) > 2 / 3.0)
            && (!Says("top") || Y(item) < 1 / 3.0) && (!Says("bottom") || Y(item) > 2 / 3.0);
    }

    private static string Ninth(SceneInstance item)
    {
        var row = Y(item) < 1 / 3.0 ? "top" : Y(item) > 2 / 3.0 ? "bottom" : "";
        var column = X(item) < 1 / 3.0 ? "left" : X(item) > 2 / 3.0 ? "right" : "";
        return row + column == "" ? "center" : $"{row} {column}".Trim();
    }

    private string Related(string text)
    {
        const string Prepositions = "to the left of|to the right of|above|below";
        var either = Regex.Match(text, $@"the ([a-z ]+?) is (?:{Prepositions}) or|Is the ([a-z ]+?) (?:{Prepositions}) or");
        if (either.Success)
        {
            var match = Regex.Match(text, $@"({Prepositions}) or ({Prepositions}) the ([a-z ]+)\?");
            var thing = The(either.Groups[1].Success ? either.Groups[1].Value : either.Groups[2].Value);
            var options = new[] { match.Groups[1].Value, match.Groups[2].Value };
            return Word(options.Single(option => Distance(option, thing, The(match.Groups[3].Value)) >= Clear));
        }

        var yesNo = Regex.Match(text, $@"the ([a-z ]+?) ({Prepositions}) the ([a-z ]+)\?");
        if (yesNo.Success && !Regex.IsMatch(text, "^(What|Which|Name)"))
        {
            var distance = Distance(yesNo.Groups[2].Value, The(yesNo.Groups[1].Value), The(yesNo.Groups[3].Value));
            Assert.True(Math.Abs(distance) >= Clear, text);
            return distance > 0 ? "yes" : "no";
        }

        var what = Regex.Match(text, $@"({Prepositions}) the ([a-z ]+)[?.]");
        var origin = The(what.Groups[2].Value);
        var found = _all.Where(item => item != origin && Distance(what.Groups[1].Value, item, origin) > 0).ToList();
        Assert.True(found.Count == 1 && Distance(what.Groups[1].Value, found[0], origin) >= Clear, text);
        return found[0].Category;
    }

    private SceneInstance The(string category) => _all.Single(instance => instance.Category == category);

    private static string Word(string preposition) => preposition.Replace("to the ", "", StringComparison.Ordinal).Replace(" of", "", StringComparison.Ordinal);

    private static double Distance(string preposition, SceneInstance item, SceneInstance origin) => Word(preposition) switch
    {
        "left" => X(origin) - X(item),
        "right" => X(item) - X(origin),
        "above" => Y(origin) - Y(item),
        _ => Y(item) - Y(origin),
    };
}

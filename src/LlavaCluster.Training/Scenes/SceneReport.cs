using System.Globalization;
using System.Text;

namespace LlavaCluster.Training.Scenes;

/// <summary>The table of the model card: per kind of question the number, the accuracy and its 95 % Wilson interval.</summary>
public sealed class SceneReport
{
    private const double Z = 1.959963984540054; // 97.5 % quantile of the normal distribution

    private SceneReport(IReadOnlyList<SceneReportRow> rows) => Rows = rows;

    /// <summary>In the order of <see cref="SceneQuestionKind"/>; only kinds that were asked.</summary>
    public IReadOnlyList<SceneReportRow> Rows { get; }

    public static SceneReport Create(IEnumerable<(SceneQuestionKind Kind, SceneGrade Grade)> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        return new([.. results.GroupBy(result => result.Kind, result => result.Grade).OrderBy(group => group.Key).Select(group => Row(group.Key, [.. group]))]);
    }

    /// <summary>GitHub-flavoured markdown; figures with three decimals.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder("| questions | n | accuracy | 95 % interval | object precision | object recall |\n|---|---|---|---|---|---|\n");
        foreach (var row in Rows)
        {
            var (low, high) = WilsonInterval(row.Correct, row.Count);
            text.Append(CultureInfo.InvariantCulture, $"| {Name(row.Kind)} | {row.Count} | {row.Accuracy:F3} | {low:F3} to {high:F3} | {Share(row.Precision)} | {Share(row.Recall)} |\n");
        }

        return text.ToString();
    }

    /// <summary>Wilson's score interval (1927) for a share of <paramref name="correct"/> in <paramref name="count"/>, at 95 %.</summary>
    public static (double Low, double High) WilsonInterval(int correct, int count)
    {
        if (count <= 0 || correct < 0 || correct > count)
        {
            throw new ArgumentException($"0 <= correct <= count and count > 0 must hold; was {correct} of {count}.");
        }

        var share = correct / (double)count;
        var centre = share + Z * Z / (2 * count);
        var spread = Z * Math.Sqrt(share * (1 - share) / count + Z * Z / (4.0 * count * count));
        var scale = 1 + Z * Z / count;
        return (Math.Max(0, (centre - spread) / scale), Math.Min(1, (centre + spread) / scale));
    }

    private static SceneReportRow Row(SceneQuestionKind kind, IReadOnlyList<SceneGrade> grades)
    {
        var (matched, named, present) = (grades.Sum(grade => grade.Matched), grades.Sum(grade => grade.Named), grades.Sum(grade => grade.Present));
        return new(
            kind,
            grades.Count,
            grades.Count(grade => grade.Correct),
            named > 0 ? matched / (double)named : null,
            present > 0 ? matched / (double)present : null);
    }

    private static string Share(double? share) => share?.ToString("F3", CultureInfo.InvariantCulture) ?? "";

    private static string Name(SceneQuestionKind kind) => kind switch
    {
        SceneQuestionKind.Presence => "presence, yes or no",
        SceneQuestionKind.Naming => "naming",
        SceneQuestionKind.Counting => "counting up to four",
        SceneQuestionKind.Relation => "left, right, above, below",
        SceneQuestionKind.Location => "where is it",
        SceneQuestionKind.Locations => "where are they",
        SceneQuestionKind.Contents => "what is in the picture",
        SceneQuestionKind.Description => "detailed description",
        SceneQuestionKind.FollowUp => "follow-up (what is left of it?)",
        _ => "reasoning",
    };
}

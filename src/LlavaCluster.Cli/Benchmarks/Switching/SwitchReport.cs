using System.Globalization;
using System.Text;

namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>What came of chats while their adapter's traffic changed.</summary>
internal sealed record SwitchReport
{
    public required string Model { get; init; }

    public required IReadOnlyList<int> Ranks { get; init; }

    public required int AtOnce { get; init; }

    public required int Changes { get; init; }

    public required int RollBacks { get; init; }

    /// <summary>Of the chats beside the changes.</summary>
    public required double Seconds { get; init; }

    public required int Requests { get; init; }

    public required int Tokens { get; init; }

    /// <summary>Answers of each version.</summary>
    public required IReadOnlyList<int> ByVersion { get; init; }

    /// <summary>Questions that two versions answer alike: a wrong version could not be seen by its answer.</summary>
    public required int Alike { get; init; }

    public required IReadOnlyList<string> Failures { get; init; }

    /// <summary>Answers that are not their version's, said to be of a version that did not answer then, and changes that led elsewhere.</summary>
    public required IReadOnlyList<string> Wrong { get; init; }

    public bool Failed => Failures.Count > 0 || Wrong.Count > 0 || Alike > 0;

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Model}: versions of ranks {string.Join(", ", Ranks)}; {AtOnce} chats at once, each answer compared with its version's when that alone was in use");
        text.AppendLine();
        text.AppendLine("| changes (rolled back) | seconds | requests | failed | wrong | tokens/s | answers by version | questions answered alike |");
        text.AppendLine("|---|---|---|---|---|---|---|---|");
        text.AppendLine(CultureInfo.InvariantCulture, $"| {Changes} ({RollBacks}) | {Seconds:0.0} | {Requests} | {Failures.Count} | {Wrong.Count} | {Tokens / Seconds:0.0} | {string.Join(" / ", ByVersion)} | {Alike} |");
        foreach (var line in Failures.Distinct().Select(failure => $"failed: {failure}").Concat(Wrong.Select(wrong => $"wrong: {wrong}")))
        {
            text.AppendLine(line);
        }

        return text.ToString();
    }
}

using System.Globalization;
using System.Text;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Jobs;

/// <summary>Chats of a stretch: times between pieces of text, and tokens.</summary>
internal sealed record ChatStretch(Spread Gap, Spread FirstToken, double TokensPerSecond);

/// <summary>What a job costs the chats of its device, and they it.</summary>
internal sealed record JobReport
{
    public required string Model { get; init; }

    public required int AtOnce { get; init; }

    public required ChatStretch Before { get; init; }

    public required ChatStretch Beside { get; init; }

    public required ChatStretch After { get; init; }

    public required double StepsAlone { get; init; }

    public required double StepsBeside { get; init; }

    /// <summary>From when a job's end was heard of to the first token of its adapter.</summary>
    public required double FirstAnswerSeconds { get; init; }

    /// <summary>Of the 99th percentile of the time between tokens, beside the job and without one.</summary>
    public double Ratio => Beside.Gap.P99 / ((Before.Gap.P99 + After.Gap.P99) / 2);

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Model}, {AtOnce} chats at once");
        text.AppendLine();
        text.AppendLine("| | ITL p50 / p99 / worst | TTFT p50 / p99 | tokens/s | steps/s |");
        text.AppendLine("|---|---|---|---|---|");
        Row("chats alone", Before, null);
        Row("chats beside a job", Beside, StepsBeside);
        Row("chats alone again", After, null);
        text.AppendLine(CultureInfo.InvariantCulture, $"| job alone | | | | {StepsAlone:0.000} |");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"ITL p99 beside the job: {Ratio:0.00}x of without. Job's pace beside the chats: {StepsBeside / StepsAlone:0.00}x of alone.");
        text.AppendLine(CultureInfo.InvariantCulture, $"End of a job to the first token of its adapter: {FirstAnswerSeconds:0.000} s.");
        return text.ToString();

        void Row(string name, ChatStretch chats, double? steps) => text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {LoadReport.Times(chats.Gap.Median, chats.Gap.P99, chats.Gap.Largest)} | {LoadReport.Times(chats.FirstToken.Median, chats.FirstToken.P99)} | {chats.TokensPerSecond:0.0} | {steps:0.000} |");
    }
}

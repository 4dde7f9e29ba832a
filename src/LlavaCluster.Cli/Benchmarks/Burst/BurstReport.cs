using System.Globalization;
using System.Text;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>Rounds of a burst beside streams, and as a table of medians.</summary>
/// <param name="Rounds">Those that were measured.</param>
/// <param name="Errors">Why there are not more.</param>
internal sealed record BurstReport(string Server, string Model, BurstOptions Options, IReadOnlyList<BurstFigures> Rounds, IReadOnlyList<string> Errors)
{
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        if (Rounds.Count > 0)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{Options.Streams} streams of {Options.MaxTokens} tokens, {Options.Burst} pictures at once, {Rounds.Count} rounds; medians (least to most)");
            text.AppendLine();
            text.AppendLine("| streams | ITL p50, ms | ITL p99, ms | ITL worst, ms | tokens/s | tokens a piece of text | seconds |");
            text.AppendLine("|---|---|---|---|---|---|---|");
            Row("quiet", round => round.Quiet);
            Row("under the burst", round => round.Burst);
            Row("after it", round => round.After);
            text.AppendLine($"| under the burst / quiet | {Ratio(figures => figures.Gap.Median)} | {Ratio(figures => figures.Gap.P99)} | {Ratio(figures => figures.Gap.Largest)} | {Ratio(figures => figures.TokensPerSecond)} | | |");
            text.AppendLine();
            text.AppendLine($"TTFT of the burst, ms: p50 {Over(round => round.FirstToken.Median * 1e3)}, worst {Over(round => round.FirstToken.Largest * 1e3)}");
        }

        foreach (var error in Errors)
        {
            text.AppendLine($"failed: {error}");
        }

        return text.ToString();

        void Row(string name, Func<BurstFigures, StretchFigures?> stretch) => text.AppendLine(
            $"| {name} | {Over(round => stretch(round)?.Gap.Median * 1e3)} | {Over(round => stretch(round)?.Gap.P99 * 1e3)} | {Over(round => stretch(round)?.Gap.Largest * 1e3)} | {Over(round => stretch(round)?.TokensPerSecond)} | {Over(round => stretch(round)?.TokensPerPiece, "0.00")} | {Over(round => stretch(round)?.Seconds)} |");

        // Of each round first: what else the machine does meets both stretches of a round.
        string Ratio(Func<StretchFigures, double> figure) => Over(round => figure(round.Burst) / figure(round.Quiet), "0.00");
    }

    private string Over(Func<BurstFigures, double?> figure, string format = "0.0") => Repeated.Print(Repeated.Of(Rounds.Select(figure).OfType<double>()), format);
}

using System.Globalization;
using System.Text;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>Levels of one run, and as a table.</summary>
internal sealed record LoadReport(string Server, string Model, LoadOptions Options, IReadOnlyList<LoadFigures> Levels)
{
    public bool Failed => Levels.Any(level => level.Failed > 0);

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.AppendLine("| chats | requests (failed) | tokens/s | requests/s | good/s | TTFT p50 / p95 / p99 | ITL p50 / p99 / worst | TPOT p50 / p99 | prompt tokens (cached) |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var level in Levels)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {level.Level} | {level.Requests} ({level.Failed}) | {level.TokensPerSecond:0.0} | {level.RequestsPerSecond:0.00} | {level.GoodPerSecond:0.00} | {Times(level.FirstToken?.Median, level.FirstToken?.P95, level.FirstToken?.P99)} | {Times(level.Gap?.Median, level.Gap?.P99, level.Gap?.Largest)} | {Times(level.PerToken?.Median, level.PerToken?.P99)} | {level.PromptTokens:0} ({level.CachedTokens:0}) |"));
        }

        if (Options.Turns > 1)
        {
            text.AppendLine();
            text.AppendLine("TTFT p50 by turn: " + string.Join("; ", Levels.Select(level => $"{level.Level}: {Times([.. level.FirstTokenByTurn])}")));
        }

        foreach (var error in Levels.SelectMany(level => level.Errors).Distinct())
        {
            text.AppendLine($"failed: {error}");
        }

        return text.ToString();
    }

    /// <summary>In milliseconds, "-" for none.</summary>
    public static string Times(params double?[] seconds) =>
        string.Join(" / ", seconds.Select(second => second is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value * 1e3:0.0}") : "-")) + " ms";
}

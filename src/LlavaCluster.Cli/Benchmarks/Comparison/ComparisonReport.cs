using System.Globalization;
using System.Text;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Comparison;

/// <summary>Two servers in turn, A-B-A-B: each figure's median over the rounds, and the ratio of the medians.</summary>
internal sealed record ComparisonReport(IReadOnlyList<ComparedRun> A, IReadOnlyList<ComparedRun> B)
{
    private const double MiB = 1 << 20;

    public bool Failed => A.Concat(B).Any(run => run.Report.Failed);

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{A.Count} rounds, the servers in turn; medians (least to most)");
        text.AppendLine();
        text.AppendLine("| chats | figure | A | B | A / B |");
        text.AppendLine("|---|---|---|---|---|");
        for (var level = 0; level < A[0].Report.Levels.Count; level++)
        {
            var (at, name) = (level, A[0].Report.Levels[level].Level);
            Row(name, "tokens/s", run => run.Report.Levels[at].TokensPerSecond);
            Row(name, "TTFT p50, ms", run => run.Report.Levels[at].FirstToken?.Median * 1e3);
            for (var turn = 1; turn < A[0].Report.Options.Turns; turn++)
            {
                var number = turn;
                Row(name, $"TTFT p50 of turn {turn + 1}, ms", run => run.Report.Levels[at].FirstTokenByTurn[number] * 1e3);
            }

            Row(name, "time a token, ms", run => run.Report.Levels[at].PerToken?.Median * 1e3);
            Row(name, "worst ITL, ms", run => run.Report.Levels[at].Gap?.Largest * 1e3);
            Row(name, "prompt tokens from a cache", run => run.Report.Levels[at].CachedTokens);
        }

        Row("", "start to ready, ms", run => run.ReadySeconds * 1e3);
        Row("", "peak memory, MiB", run => run.PeakMemory / MiB);
        Row("", "bandwidth around it, GB/s", run => run.Bandwidth / 1e9);
        Failures("A", A);
        Failures("B", B);

        return text.ToString();

        void Failures(string server, IReadOnlyList<ComparedRun> runs)
        {
            foreach (var error in runs.SelectMany(run => run.Report.Levels).SelectMany(level => level.Errors).Distinct())
            {
                text.AppendLine($"failed at {server}: {error}");
            }
        }

        void Row(string level, string figure, Func<ComparedRun, double?> value)
        {
            var (a, b) = (Repeated.Of(A.Select(value).OfType<double>()), Repeated.Of(B.Select(value).OfType<double>()));
            if (a is not null || b is not null)
            {
                var ratio = a is not null && b is not null && b.Median != 0 ? (a.Median / b.Median).ToString("0.00", CultureInfo.InvariantCulture) : "-";
                text.AppendLine($"| {level} | {figure} | {Repeated.Print(a, "0.0")} | {Repeated.Print(b, "0.0")} | {ratio} |");
            }
        }
    }
}

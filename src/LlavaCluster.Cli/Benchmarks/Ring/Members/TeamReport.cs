using System.Globalization;
using System.Text;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Ring.Members;

/// <summary>A way of training together, and its runs.</summary>
internal sealed record TeamRuns(string Name, int Members, int LocalSteps)
{
    public List<TeamRun> Runs { get; } = [];

    public TeamRun First => Runs[0];

    public Repeated Over(Func<TeamRun, double> figure) => Repeated.Of(Runs.Select(figure))!;
}

/// <summary>One run, as its members saw it.</summary>
internal sealed record TeamRun(IReadOnlyList<MemberReport> Members)
{
    public MemberReport First => Members[0];

    /// <summary>All members learned the same, to the last bit.</summary>
    public bool IsOne => Members.All(member => member.Digest == First.Digest);

    /// <summary>Of the slowest.</summary>
    public double Seconds => Members.Max(member => member.Seconds);

    /// <summary>Busy on average, of all members together: what is above one a member loads data and sends.</summary>
    public double Cores => Members.Sum(member => member.CoreSeconds / member.Seconds);

    public double Waited => Members.Average(member => member.WaitedSeconds / member.Seconds);
}

/// <summary>What two members bring: each figure's median over the rounds, and the ratios that were aimed at.</summary>
internal sealed record TeamReport(int Batch, int LocalSteps, TeamRuns Alone, TeamRuns Summing, TeamRuns Agreeing)
{
    private const int ComparedSteps = 200;
    private const double MiB = 1 << 20;

    /// <summary>Of two members' losses and one's, relative, over the first steps.</summary>
    public double LossDifference => Alone.First.First.Losses.Zip(Summing.First.First.Losses, (one, two) => Math.Abs(two - one) / Math.Abs(one)).Take(ComparedSteps).Max();

    public double Speedup => Rate(Summing) / Rate(Alone);

    public double BytesRatio => Summing.First.First.BytesSent / (double)Agreeing.First.First.BytesSent;

    /// <summary>Of agreements against sums; negative where it is better, null where nothing is held out.</summary>
    public double? HeldOutDifference => (Agreeing.First.First.HeldOutLoss / Summing.First.First.HeldOutLoss) - 1;

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        var steps = Alone.First.First.Losses.Count;
        Line($"{steps} steps of {Batch} samples, a thread a member; held-out loss of the base {Alone.First.First.BaseLoss:0.0000}. Medians of {Alone.Runs.Count} rounds (least to most)");
        Line($"");
        Line($"| | samples/s | of one member's | step, ms | of which waiting | cores busy | sent by a member, MiB | held-out loss |");
        Line($"|---|---|---|---|---|---|---|---|");
        foreach (var mode in (TeamRuns[])[Alone, Summing, Agreeing])
        {
            var step = Repeated.Of(mode.Runs.SelectMany(run => run.First.StepSeconds))!.Median;
            Line($"| {mode.Name} | {Repeated.Print(mode.Over(SamplesPerSecond), "0.00")} | {Rate(mode) / Rate(Alone):0.00} | {step * 1e3:0.0} | {mode.Over(run => run.Waited).Median:0.0 %} | {mode.Over(run => run.Cores).Median:0.00} | {mode.First.First.BytesSent / MiB:0.00} | {mode.First.First.HeldOutLoss:0.0000} |");
        }

        Line($"");
        Line($"| aim | measured | asked |");
        Line($"|---|---|---|");
        Line($"| greatest relative difference of 2 members' losses from 1's, {Math.Min(steps, ComparedSteps)} steps | {LossDifference:0.0e+0} | <= 1e-4 |");
        Line($"| throughput of 2 members by 1's | {Speedup:0.00} | >= 1.8 |");
        Line($"| bytes of a sum a step by those of an agreement in {LocalSteps} steps | {BytesRatio:0.0} | >= 20 |");
        Line($"| held-out loss with agreements against sums | {HeldOutDifference:+0.00 %;-0.00 %} | within 2 % |");
        Line($"| members end in the same weights, bit for bit | {(Summing.Runs.Concat(Agreeing.Runs).All(run => run.IsOne) ? "yes" : "no")} | yes |");
        return text.ToString();

        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    private double Rate(TeamRuns mode) => mode.Over(SamplesPerSecond).Median;

    private double SamplesPerSecond(TeamRun run) => run.First.StepSeconds.Count * Batch / run.Seconds;
}

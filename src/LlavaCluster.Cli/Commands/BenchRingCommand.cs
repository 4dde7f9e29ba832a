using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Benchmarks.Ring;
using LlavaCluster.Training.Distributed;
using Spectre.Console;
using static LlavaCluster.Cli.Commands.OptionBounds;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench ring</c>: the sums of data-parallel trainers, all in this process over loopback.</summary>
internal static class BenchRingCommand
{
    private const int Runs = 2;

    public static Command Create(Terminal terminal)
    {
        var members = Count("--members", 2, 64, "Members of the ring.", least: 2);
        var megabytes = Count("--mb", 64, 2000, "MiB of the vector that they sum.");
        var rounds = Count("--rounds", 10, 10_000, "Sums of each run; medians are printed.");
        var file = new ReportFile();
        var command = new Command("ring", "How fast data-parallel trainers sum vectors: a ring of threads over loopback in this process, without encryption.")
        {
            members, megabytes, rounds, file.Option, BenchRingTrainCommand.Create(terminal), BenchRingTrainCommand.CreateMember(terminal),
        };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            terminal,
            new RingBenchmark(parsed.GetValue(members), (long)parsed.GetValue(megabytes) << 20, parsed.GetValue(rounds), TimeProvider.System),
            report => file.WriteAsync(parsed, report, cancellationToken),
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(Terminal terminal, RingBenchmark benchmark, Func<RingFigures, Task> write, CancellationToken cancellationToken)
    {
        try
        {
            var figures = await benchmark.MeasureAsync(Runs, cancellationToken);
            Line($"| members | vector | sum, median of {Runs} runs (least to most) | GB/s of the vector | GB/s of each connection | sum of {RingBenchmark.SmallFloats} floats |");
            Line($"|---|---|---|---|---|---|");
            Line($"| {figures.Members} | {figures.Bytes >> 20} MiB | {Scaled(figures.Large, 1e3)} ms | {figures.Rate / 1e9:0.00} | {figures.LinkRate / 1e9:0.00} | {Scaled(figures.Small, 1e6)} µs |");
            await write(figures);
            return 0;
        }
        catch (Exception exception) when (exception is RingBrokenException or SocketException or IOException or UnauthorizedAccessException)
        {
            return terminal.Fail(exception.Message);
        }

        void Line(FormattableString text) => terminal.Out.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static string Scaled(Repeated seconds, double scale) => Repeated.Print(new Repeated(seconds.Median * scale, seconds.Least * scale, seconds.Most * scale), "0.0");
}

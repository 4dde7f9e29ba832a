using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using LlavaCluster.Cli.Benchmarks;
using LlavaCluster.Cli.Benchmarks.Comparison;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Model.Kernels.Threading;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench compare</c>: two servers under the same load, one after the other and again, so that what else the machine does meets both.</summary>
internal static class BenchCompareCommand
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromMinutes(5);

    public static Command Create(Terminal terminal)
    {
        var (a, b) = (Server("a", 8091), Server("b", 8092));
        var rounds = new Option<int>("--rounds") { DefaultValueFactory = _ => 5, Description = "Times that each is started, loaded and stopped." }.Within(1, 1000);
        var load = new LoadMeasurement();
        var command = new Command("compare", "The load of bench serve on two servers in turn, A-B-A-B: medians, ratios, time to ready, peak memory, and the machine's bandwidth around each.") { a.Command, a.Url, b.Command, b.Url, rounds };
        load.AddTo(command, plots: false);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, terminal, [a, b], parsed.GetValue(rounds), load, cancellationToken));
        return command;
    }

    private static ServerOptions Server(string name, int port) => new(
        new Option<string>("--" + name) { Required = true, Description = $"The command that starts server {name.ToUpperInvariant()}, for /bin/sh." },
        new Option<Uri>($"--{name}-url") { DefaultValueFactory = _ => new Uri($"http://127.0.0.1:{port}"), CustomParser = Address, Description = "Where it listens." });

    private static Uri? Address(ArgumentResult result)
    {
        var url = result.Tokens[0].Value;
        if (Uri.TryCreate(url, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
        {
            return address;
        }

        result.AddError($"The address must be an http or https URL; was \"{url}\".");
        return null;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Terminal terminal, ServerOptions[] servers, int rounds, LoadMeasurement load, CancellationToken cancellationToken)
    {
        try
        {
            using var team = new KernelTeam(Environment.ProcessorCount);
            using var probe = new BandwidthProbe(team, TimeProvider.System);
            List<ComparedRun>[] runs = [[], []];
            for (var round = 0; round < rounds; round++)
            {
                for (var side = 0; side < servers.Length; side++)
                {
                    runs[side].Add(await MeasureAsync(parsed, terminal, servers[side], load, probe, cancellationToken));
                    terminal.Error.WriteLine($"round {round + 1} of {rounds}, server {(side == 0 ? "A" : "B")}: done");
                }
            }

            var report = new ComparisonReport(runs[0], runs[1]);
            terminal.Out.Write(new Text(report.ToMarkdown()));
            await load.WriteAsync(parsed, report, cancellationToken);
            return report.Failed ? terminal.Fail("Some requests failed; their reasons stand above.") : 0;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException or JsonException)
        {
            return terminal.Fail(exception.Message);
        }
    }

    private static async Task<ComparedRun> MeasureAsync(ParseResult parsed, Terminal terminal, ServerOptions options, LoadMeasurement load, BandwidthProbe probe, CancellationToken cancellationToken)
    {
        using var http = ServerAddress.Open(parsed.GetRequiredValue(options.Url));
        var before = probe.Measure();
        LoadReport report;
        TimeSpan ready;
        long? memory;
        await using (var server = await ServerProcess.StartAsync(parsed.GetRequiredValue(options.Command), http, ReadyWithin, TimeProvider.System, cancellationToken))
        {
            var asked = load.Options(parsed);
            report = await load.MeasureAsync(parsed, terminal, asked, new LoadClient(http, await LoadClient.FirstModelAsync(http, cancellationToken), asked), cancellationToken);
            (ready, memory) = (server.ReadyAfter, server.PeakMemory);
        }

        return new ComparedRun(report, (before + probe.Measure()) / 2, ready.TotalSeconds, memory);
    }

    private sealed record ServerOptions(Option<string> Command, Option<Uri> Url);
}

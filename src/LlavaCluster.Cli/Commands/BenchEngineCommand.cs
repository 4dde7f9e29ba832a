using System.CommandLine;
using LlavaCluster.Cli.Benchmarks.Load;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;
using LlavaCluster.Worker;
using LlavaCluster.Worker.Serving;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench engine</c>: the load of <c>bench serve</c> on an engine in this process. The difference is what gateway, grains and journal cost.</summary>
internal static class BenchEngineCommand
{
    public static Command Create(Terminal terminal)
    {
        var load = new LoadMeasurement();
        var model = new Option<string>("--model") { DefaultValueFactory = _ => ServeOptions.ShippedModel, Description = "The model folder." };
        var weights = new Option<string>("--weights") { DefaultValueFactory = _ => "auto", Description = "As of serve." };
        var device = new Option<string>("--device") { Description = DeviceOption.Description }.NamesADevice();
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." }.Within(1, 1024);
        var cache = new Option<int>("--kv-mb") { DefaultValueFactory = _ => 1024, Description = "Memory of the KV cache in MiB." }.Within(1, 1 << 24);
        var guesses = new Option<int>("--guess") { DefaultValueFactory = _ => 8, Description = "As of serve." }.Within(0, 64);
        weights.AcceptOnlyFromAmong([.. WeightNames.All]);
        var command = new Command("engine", "The load of bench serve on an engine in this process, without gateway, grains and journal.") { model, weights, device, threads, cache, guesses };
        command.CheckWeights(device, weights);
        load.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed,
            terminal,
            load,
            new WorkerOptions { ModelFolder = parsed.GetRequiredValue(model), Weights = WeightNames.Parse(parsed.GetRequiredValue(weights)), Device = DeviceOption.Of(parsed, device), Threads = parsed.GetValue(threads), KvBytes = (long)parsed.GetValue(cache) << 20, Guesses = parsed.GetValue(guesses) },
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Terminal terminal, LoadMeasurement load, WorkerOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await using var engine = await StandaloneEngine.StartAsync(options, cancellationToken);
            var asked = load.Options(parsed);
            return await load.RunAsync(parsed, terminal, asked, new EngineTarget(engine, asked), cancellationToken);
        }
        catch (Exception exception) when (exception is CheckpointException or ClusterStartException or NotSupportedException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return terminal.Fail(exception.Message);
        }
    }
}

using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using LlavaCluster.Cli.Benchmarks;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Model;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using Spectre.Console;
using TorchSharp;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava bench</c>: figures of this machine.</summary>
internal static class BenchCommand
{
    private const int Most = 1 << 20;
    private const int MostAdapters = 1024;
    private const int MostRank = 1024;

    private static readonly Option<string> Model = new("--model") { DefaultValueFactory = _ => ServeOptions.ShippedModel, Description = "The model folder; \"llava models random\" writes one of any size." };
    private static readonly Option<string> Weights = new("--weights") { DefaultValueFactory = _ => "auto", Description = "As of serve." };
    private static readonly Option<string> ComputesOn = new Option<string>("--device") { Description = DeviceOption.Description }.NamesADevice();
    private static readonly Option<int[]> Batches = new("--batch") { DefaultValueFactory = _ => [1, 4, 16, 32], Description = "Sequences that decode together; may be given more than once.", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<int> Adapters = new Option<int>("--adapters") { DefaultValueFactory = _ => 0, Description = "Sequences that decode with a random LoRA adapter each, beside as many of the base." }.Within(0, MostAdapters);
    private static readonly Option<string> Ranks = RanksOption();
    private static readonly Option<int> Context = new("--context") { DefaultValueFactory = _ => 640, Description = "Tokens each of them sees." };
    private static readonly Option<int> Prompt = new("--prompt") { DefaultValueFactory = _ => 512, Description = "Tokens of the prompt whose prefill is timed." };
    private static readonly Option<int> Rounds = new("--rounds") { DefaultValueFactory = _ => 5, Description = "Repetitions; medians are printed." };
    private static readonly Option<int> Threads = new("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." };

    public static Command Create(Terminal terminal) => new("bench", "Measure.") { Device(terminal), BenchAdaptersCommand.Create(terminal), BenchBurstCommand.Create(terminal), BenchCompareCommand.Create(terminal), BenchEngineCommand.Create(terminal), BenchGatewayCommand.Create(terminal), BenchJobCommand.Create(terminal), BenchRingCommand.Create(terminal), BenchServeCommand.Create(terminal) };

    private static Command Device(Terminal terminal)
    {
        Weights.AcceptOnlyFromAmong([.. WeightNames.All]);
        var command = new Command("device", "Decoding, prefill and picture encoding without a server, beside this machine's ceilings.") { Model, Weights, ComputesOn, Batches, Adapters, Ranks, Context, Prompt, Rounds, Threads };
        foreach (var option in new[] { Context, Prompt, Rounds, Threads })
        {
            option.Within(1, Most);
        }

        Batches.Validators.Add(result =>
        {
            foreach (var batch in (result.GetValueOrDefault<int[]>() ?? []).Where(batch => batch is < 1 or > Most))
            {
                result.AddError($"{Batches.Name} must be from 1 to {Most}; was {batch}.");
            }
        });
        command.CheckWeights(ComputesOn, Weights);
        command.SetAction(parsed => Run(parsed, terminal));
        return command;
    }

    private static Option<string> RanksOption()
    {
        var option = new Option<string>("--ranks") { DefaultValueFactory = _ => "4..32", Description = "Ranks of the adapters, FIRST..LAST." };
        option.Validators.Add(result =>
        {
            if (ParseRanks(result.GetValueOrDefault<string>()) is null)
            {
                result.AddError($"{option.Name} must be FIRST..LAST with 1 <= FIRST <= LAST <= {MostRank}; was {result.GetValueOrDefault<string>()}.");
            }
        });
        return option;
    }

    private static (int First, int Last)? ParseRanks(string? text) =>
        text?.Split("..") is [var first, var last] && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var least) && int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var most) && least >= 1 && least <= most && most <= MostRank
            ? (least, most)
            : null;

    private static int Run(ParseResult parsed, Terminal terminal)
    {
        try
        {
            var weights = WeightNames.Parse(parsed.GetRequiredValue(Weights));
            torch.set_num_threads(parsed.GetValue(Threads));
            using var model = LlavaModel.Load(parsed.GetRequiredValue(Model), new CheckpointOptions(), WeightNames.TypeOf(weights), DeviceOption.Of(parsed, ComputesOn).Open());
            var options = new DeviceBenchmarkOptions
            {
                Threads = parsed.GetValue(Threads), Weights = weights, Batches = parsed.GetRequiredValue(Batches), Adapters = parsed.GetValue(Adapters), Ranks = ParseRanks(parsed.GetRequiredValue(Ranks))!.Value, Context = parsed.GetValue(Context), Prompt = parsed.GetValue(Prompt), Rounds = parsed.GetValue(Rounds),
            };
            var most = model.Config.Text.MaxPositions;
            if (options.Context > most - DeviceBenchmark.Spare || options.Prompt > most)
            {
                return terminal.Fail($"--context must be <= {most - DeviceBenchmark.Spare} and --prompt <= {most} for this model; were {options.Context} and {options.Prompt}.");
            }

            using var benchmark = new DeviceBenchmark(model.Network, options, TimeProvider.System);
            Print(terminal, parsed.GetRequiredValue(Model), model, options, benchmark);
            return 0;
        }
        catch (Exception exception) when (exception is CheckpointException or NotSupportedException or IOException or UnauthorizedAccessException)
        {
            return terminal.Fail(exception.Message);
        }
    }

    private static void Print(Terminal terminal, string folder, LlavaModel model, DeviceBenchmarkOptions options, DeviceBenchmark benchmark)
    {
        var network = model.Network;
        Line($"{folder}: {network.parameters().Sum(parameter => parameter.numel()) / 1e6:0} M parameters, {(options.Weights ?? network.Packed?.Format)?.ToString() ?? network.Dtype.ToString()}, {benchmark.WeightBytes / 1e9:0.000} GB of weights a step");
        Line($"{RuntimeInformation.OSArchitecture}, {(network.Device.type == DeviceType.CPU ? $"{options.Threads} threads" : network.Device.ToString())}, medians of {options.Rounds}");
        Line($"");
        Line($"| what | figure | of the ceiling |");
        Line($"|---|---|---|");
        foreach (var figure in benchmark.Decode())
        {
            // The bandwidth that is probed is the host's.
            var share = network.Device.type == DeviceType.CPU ? string.Create(CultureInfo.InvariantCulture, $"{figure.Share:0.00} of {figure.Bandwidth / 1e9:0.0} GB/s") : "";
            Line($"| decode, {figure.Batch} at once, context {options.Context} | {figure.TokensPerSecond:0.0} tokens/s | {share} |");
        }

        if (options.Adapters > 0)
        {
            var figure = benchmark.DecodeAdapted();
            Line($"| decode, {options.Adapters} at once, context {options.Context}, by turns with the next | {figure.Base:0.0} tokens/s | |");
            Line($"| the same with {options.Adapters} adapters of ranks {options.Ranks.First} to {options.Ranks.Last}, {figure.Bytes / 1e6:0} MB | {figure.Adapted:0.0} tokens/s | {figure.Ratio:0.00} of the base's |");
        }

        var (prefill, product) = (benchmark.Prefill(), benchmark.Multiply());
        Line($"| prefill, {options.Prompt} tokens | {prefill:0} tokens/s | |");
        Line($"| encode one picture | {benchmark.Encode() * 1e3:0.0} ms | |");
        Line($"| libtorch's product of 2048 x 2048 in {network.Dtype} | {product / 1e9:0} GFLOP/s | |");

        void Line(FormattableString text) => terminal.Out.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }
}

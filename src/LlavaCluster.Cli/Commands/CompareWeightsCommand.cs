using System.CommandLine;
using System.Globalization;
using LlavaCluster.Cli.Benchmarks;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using Spectre.Console;
using TorchSharp;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava models weights</c>: what 8 and 4 bits a weight cost in quality.</summary>
internal static class CompareWeightsCommand
{
    public static Command Create(Terminal terminal)
    {
        var folder = new Argument<string>("folder") { Description = "The model folder." };
        var text = new Option<string>("--text") { Required = true, Description = "A text file of the kind the model is to read." };
        var formats = new Option<string[]>("--weights") { DefaultValueFactory = _ => ["bf16", "q8", "q4"], Description = "The formats to compare; may be given more than once.", AllowMultipleArgumentsPerToken = true };
        var reference = new Option<string>("--reference") { DefaultValueFactory = _ => "f32", Description = "What they are compared with." };
        var most = new Option<int>("--tokens") { DefaultValueFactory = _ => 8192, Description = $"Tokens of the text to read at most; windows of {WeightComparison.Window}." };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." };
        string[] known = [.. WeightNames.All.Where(name => WeightNames.Parse(name) is not null)];
        formats.AcceptOnlyFromAmong(known);
        reference.AcceptOnlyFromAmong(known);
        var command = new Command("weights", "Compare weight formats: perplexity, agreement and divergence over a text.") { folder, text, formats, reference, most, threads };
        command.SetAction(parsed => Run(
            terminal, parsed.GetRequiredValue(folder), parsed.GetRequiredValue(text), parsed.GetRequiredValue(reference), parsed.GetRequiredValue(formats), parsed.GetRequiredValue(most), Math.Max(1, parsed.GetValue(threads))));
        return command;
    }

    private static int Run(Terminal terminal, string folder, string text, string reference, string[] formats, int most, int threads)
    {
        try
        {
            torch.set_num_threads(threads);
            var config = LlavaConfigReader.Read(folder);
            if (config.Text.MaxPositions < WeightComparison.Window)
            {
                return terminal.Fail($"The model must have at least {WeightComparison.Window} positions; has {config.Text.MaxPositions}.");
            }

            var ids = TextCodec.Load(folder, config).Tokenizer.EncodeToIds(File.ReadAllText(text));
            if (Math.Min(ids.Count, most) < WeightComparison.Window)
            {
                return terminal.Fail($"--text and --tokens must give at least {WeightComparison.Window} tokens; were {ids.Count} and {most}.");
            }

            using var comparison = new WeightComparison(folder, WeightNames.Parse(reference)!.Value, formats.Distinct().Select(name => WeightNames.Parse(name)!.Value), threads);
            Print(terminal, comparison.Run([.. ids.Take(most)]));
            return 0;
        }
        catch (Exception exception) when (exception is CheckpointException or NotSupportedException or IOException or UnauthorizedAccessException)
        {
            return terminal.Fail(exception.Message);
        }
    }

    private static void Print(Terminal terminal, IReadOnlyList<WeightFigures> rows)
    {
        terminal.Out.WriteLine("| weights | MB a step | tokens | perplexity | same next token | divergence, nats |");
        terminal.Out.WriteLine("|---|---|---|---|---|---|");
        foreach (var row in rows)
        {
            terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {row.Format} | {row.Bytes / 1e6:0.0} | {row.Tokens} | {row.Perplexity:0.000} | {row.Agreement:0.0000} | {row.Divergence:0.00000} |"));
        }
    }
}

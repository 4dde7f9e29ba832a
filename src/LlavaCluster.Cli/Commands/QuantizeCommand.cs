using System.CommandLine;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Weights;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava models quantize</c>: packs a model's matrices once, so that workers map them.</summary>
internal static class QuantizeCommand
{
    public static Command Create(Terminal terminal)
    {
        var folder = new Argument<string>("folder") { Description = "The model folder, in Hugging Face's layout." };
        var target = new Option<string>("--out") { Required = true, Description = "The folder to make, for serve --model." };
        var weights = new Option<string>("--weights") { DefaultValueFactory = _ => "q8", Description = "q8 or q4." };
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that pack." }.Within(1, 1024);
        weights.AcceptOnlyFromAmong([.. WeightNames.All.Where(name => WeightNames.Parse(name) is WeightFormat.Q8 or WeightFormat.Q4)]);
        var command = new Command("quantize", "Make a model folder whose language model's matrices have 8 or 4 bits a weight.") { folder, target, weights, threads };
        command.SetAction(parsed => Run(terminal, parsed.GetRequiredValue(folder), parsed.GetRequiredValue(target), WeightNames.Parse(parsed.GetRequiredValue(weights))!.Value, parsed.GetValue(threads)));
        return command;
    }

    private static int Run(Terminal terminal, string folder, string target, WeightFormat format, int threads)
    {
        try
        {
            PackedFolderWriter.Write(folder, target, format, threads);
            terminal.Out.WriteLine($"Written to {target}.");
            return 0;
        }
        catch (Exception exception) when (exception is CheckpointException or NotSupportedException or IOException or UnauthorizedAccessException)
        {
            return terminal.Fail(exception.Message);
        }
    }
}

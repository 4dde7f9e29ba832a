using System.CommandLine;
using LlavaCluster.Cli.Models;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Model.Weights;
using Spectre.Console;
using TorchSharp;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava models random</c>.</summary>
internal static class RandomModelCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("folder") { Description = "The folder to write." };
        var shape = new Option<string>("--shape") { Required = true, Description = $"{string.Join(", ", ModelShapes.Names)}: the parts' sizes are LLaVA-1.5's for 7b and 13b." };
        shape.AcceptOnlyFromAmong(ModelShapes.Names);
        var type = new Option<string>("--type") { DefaultValueFactory = _ => "bf16", Description = "What the weights are stored as: bf16, f16 or f32." };
        type.AcceptOnlyFromAmong("bf16", "f16", "f32");
        var tokenizer = new Option<string>("--tokenizer")
        {
            DefaultValueFactory = _ => Path.Combine(ServeOptions.ShippedModel, "tokenizer.model"), Description = "A SentencePiece model; default: the shipped model's.",
        };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Of the weights." };
        var command = new Command("random", "Write a model with random weights, to try a size without its weights.") { folder, shape, type, tokenizer, seed };
        command.SetAction(parsed => Write(
            parsed.GetRequiredValue(folder), parsed.GetRequiredValue(shape), parsed.GetRequiredValue(tokenizer), Type(parsed.GetRequiredValue(type)), parsed.GetRequiredValue(seed)));
        return command;
    }

    private static int Write(string folder, string shape, string tokenizer, torch.ScalarType type, int seed)
    {
        try
        {
            AnsiConsole.Status().Start("Drawing weights", status => RandomModel.Write(folder, shape, tokenizer, type, seed, name => status.Status(Markup.Escape(name))));
            using var checkpoint = CheckpointReader.Open(folder);
            AnsiConsole.WriteLine($"{folder}: {checkpoint.Bytes / 1e9:0.00} GB of weights.");
            return 0;
        }
        catch (Exception exception) when (exception is CheckpointException or IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]{exception.Message}[/]");
            return 1;
        }
    }

    private static torch.ScalarType Type(string name) => name switch
    {
        "f32" => torch.ScalarType.Float32,
        "f16" => torch.ScalarType.Float16,
        _ => torch.ScalarType.BFloat16,
    };
}

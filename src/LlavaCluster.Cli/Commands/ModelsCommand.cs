using System.CommandLine;
using LlavaCluster.Cli.Parity;
using LlavaCluster.Model.Weights;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava models</c>: what can be done with a model folder without serving it.</summary>
internal static class ModelsCommand
{
    public static Command Create(Terminal terminal) => new("models", "Inspect and make model folders.") { Parity(), RandomModelCommand.Create(), CompareWeightsCommand.Create(terminal), QuantizeCommand.Create(terminal) };

    private static Command Parity()
    {
        var folders = new Argument<string[]>("folders") { Arity = ArgumentArity.OneOrMore, Description = "Model folders with reference outputs in expected/." };
        var command = new Command("parity", "Compare our outputs with a reference's; exits 1 if any differs by more than is allowed.") { folders };
        command.SetAction(parsed => parsed.GetRequiredValue(folders).Select(Compare).Max());
        return command;
    }

    private static int Compare(string folder)
    {
        try
        {
            var rows = ParityReport.Run(folder);
            AnsiConsole.MarkupLineInterpolated($"[bold]{folder}[/]");
            AnsiConsole.Write(ParityReport.Render(rows));
            return rows.All(row => row.Holds) ? 0 : 1;
        }
        catch (Exception exception) when (exception is CheckpointException or NotSupportedException or IOException or UnauthorizedAccessException)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]{folder}: {exception.Message}[/]");
            return 1;
        }
    }
}

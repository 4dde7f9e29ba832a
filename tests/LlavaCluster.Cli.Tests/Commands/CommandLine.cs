using System.CommandLine;
using LlavaCluster.Cli.Commands;
using Spectre.Console;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary>Commands that speak through a terminal, with their output caught.</summary>
internal static class CommandLine
{
    public static Task<(int Code, string Printed, string Errors)> RunAsync(string[] arguments, CancellationToken cancellationToken) =>
        RunAsync(arguments, TextReader.Null, interactive: false, cancellationToken);

    public static async Task<(int Code, string Printed, string Errors)> RunAsync(string[] arguments, TextReader typed, bool interactive, CancellationToken cancellationToken)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var code = await Root(new Terminal(Console(output), Console(errors), typed, interactive)).Parse(arguments).InvokeAsync(cancellationToken: cancellationToken);
        return (code, output.ToString(), errors.ToString());
    }

    /// <summary>What a command makes of its arguments, without running.</summary>
    public static ParseResult Parse(params string[] arguments) => Root(new Terminal(Console(TextWriter.Null), Console(TextWriter.Null), TextReader.Null, Interactive: false)).Parse(arguments);

    private static RootCommand Root(Terminal terminal) =>
        new() { ChatCommand.Create(terminal), TenantsCommand.Create(terminal), JobsCommand.Create(terminal), FilesCommand.Create(terminal), AdaptersCommand.Create(terminal), ServeCommand.Create(terminal), ModelsCommand.Create(terminal), TrainCommand.Create(terminal), BenchCommand.Create(terminal) };

    private static IAnsiConsole Console(TextWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer), Ansi = AnsiSupport.No, Interactive = InteractionSupport.No });
        console.Profile.Width = 1000;
        return console;
    }
}

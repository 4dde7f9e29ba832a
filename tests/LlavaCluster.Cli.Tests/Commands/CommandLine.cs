using System.CommandLine;
using LlavaCluster.Cli.Commands;
using Spectre.Console;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary>The commands that talk to a server, with their output caught.</summary>
internal static class CommandLine
{
    public static Task<(int Code, string Printed, string Errors)> RunAsync(string[] arguments, CancellationToken cancellationToken) =>
        RunAsync(arguments, TextReader.Null, interactive: false, cancellationToken);

    public static async Task<(int Code, string Printed, string Errors)> RunAsync(string[] arguments, TextReader typed, bool interactive, CancellationToken cancellationToken)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var terminal = new Terminal(Console(output), Console(errors), typed, interactive);
        var root = new RootCommand { ChatCommand.Create(terminal), TenantsCommand.Create(terminal), ServeCommand.Create(terminal) };
        var code = await root.Parse(arguments).InvokeAsync(cancellationToken: cancellationToken);
        return (code, output.ToString(), errors.ToString());
    }

    private static IAnsiConsole Console(StringWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer), Ansi = AnsiSupport.No, Interactive = InteractionSupport.No });
        console.Profile.Width = 1000;
        return console;
    }
}

using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary>What a command reads from and speaks through: answers go to one place and failures to another, so that a pipe gets answers only.</summary>
/// <param name="Interactive">A person types and sees: prompts help, and a mistake is not the end.</param>
internal sealed record Terminal(IAnsiConsole Out, IAnsiConsole Error, TextReader In, bool Interactive)
{
    private const int NoWrapping = 10_000;

    public static Terminal OfProcess()
    {
        var errors = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        if (Console.IsErrorRedirected)
        {
            errors.Profile.Width = NoWrapping;
        }

        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Console.Profile.Width = NoWrapping; // whoever reads a table from a pipe or a file wants its rows whole
        }

        return new Terminal(AnsiConsole.Console, errors, Console.In, !Console.IsInputRedirected && !Console.IsOutputRedirected);
    }

    /// <summary>Says why a command ends without success.</summary>
    /// <returns>The exit code.</returns>
    public int Fail(string message)
    {
        Error.MarkupLineInterpolated($"[red]{message}[/]");
        return 1;
    }
}

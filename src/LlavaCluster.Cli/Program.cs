using System.CommandLine;
using LlavaCluster.Cli.Commands;
using Spectre.Console;

var serve = ServeCommand.Create();
var root = new RootCommand("LLaVA for many tenants: serving, fine-tuning and evaluation.")
{
    serve,
    ChatCommand.Create(AnsiConsole.Console),
    TenantsCommand.Create(AnsiConsole.Console),
    ModelsCommand.Create(),
    TrainCommand.Create(),
    DataCommand.Create(),
    EvalCommand.Create(),
};

var parsed = root.Parse(args);
var configuration = new InvocationConfiguration();
if (parsed.CommandResult.Command == serve)
{
    configuration.ProcessTerminationTimeout = ServeCommand.LongestStop;
}

return await parsed.InvokeAsync(configuration);

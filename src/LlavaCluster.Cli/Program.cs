using System.CommandLine;
using LlavaCluster.Cli.Commands;
using Spectre.Console;

var root = new RootCommand("LLaVA for many tenants: serving, fine-tuning and evaluation.")
{
    ServeCommand.Create(),
    ChatCommand.Create(AnsiConsole.Console),
    TenantsCommand.Create(AnsiConsole.Console),
    ModelsCommand.Create(),
    TrainCommand.Create(),
    DataCommand.Create(),
    EvalCommand.Create(),
};

return await root.Parse(args).InvokeAsync();

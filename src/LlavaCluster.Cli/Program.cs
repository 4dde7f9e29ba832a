using System.CommandLine;
using LlavaCluster.Cli.Commands;
using Spectre.Console;

var terminal = Terminal.OfProcess();
var root = new RootCommand("LLaVA for many tenants: serving, fine-tuning and evaluation.")
{
    ServeCommand.Create(terminal),
    ChatCommand.Create(terminal),
    TenantsCommand.Create(terminal),
    ModelsCommand.Create(),
    TrainCommand.Create(),
    DataCommand.Create(),
    EvalCommand.Create(),
};

return await root.Parse(args).InvokeAsync();

using System.CommandLine;
using LlavaCluster.Cli.Commands;

var root = new RootCommand("LLaVA for many tenants: serving, fine-tuning and evaluation.")
{
    ServeCommand.Create(),
    ModelsCommand.Create(),
    TrainCommand.Create(),
    DataCommand.Create(),
    EvalCommand.Create(),
};

return await root.Parse(args).InvokeAsync();

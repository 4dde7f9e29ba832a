using System.CommandLine;
using LlavaCluster.Cli;
using LlavaCluster.Cli.Commands;

var terminal = Terminal.OfProcess();
var root = new RootCommand("LLaVA for many tenants: serving, fine-tuning and evaluation.")
{
    ServeCommand.Create(terminal),
    ChatCommand.Create(terminal),
    TenantsCommand.Create(terminal),
    ModelsCommand.Create(terminal),
    JobsCommand.Create(terminal),
    FilesCommand.Create(terminal),
    AdaptersCommand.Create(terminal),
    TrainCommand.Create(terminal),
    DataCommand.Create(),
    EvalCommand.Create(),
    BenchCommand.Create(terminal),
};

// The library's own handler of signals ends the process two seconds after the first.
using var interruption = new Interruption();
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, interruption.Token);

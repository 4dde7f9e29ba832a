using System.Net;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains;
using LlavaCluster.Hosting;
using LlavaCluster.TestNode;
using LlavaCluster.TestSupport;
using LlavaCluster.Worker;
using LlavaCluster.Worker.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

if (args[0] == "ring")
{
    await RingNode.RunAsync(args[1..]);
    return;
}

// A member of a cluster with a scripted engine, for tests that kill processes: ROLE DATA NAME TOKEN-MILLISECONDS.
var role = Enum.Parse<ClusterRole>(args[0]);
var pause = TimeSpan.FromMilliseconds(int.Parse(args[3]));
var builder = WebApplication.CreateSlimBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("LlavaCluster", LogLevel.Information); // Tests wait for what it says.
builder.WebHost.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
builder.UseLlavaCluster(new ClusterOptions { Role = role, DataDirectory = args[1], SiloName = args[2] });
if (role.HasFlag(ClusterRole.Front))
{
    builder.Services.AddLlavaGrains();
}

if (role.HasFlag(ClusterRole.Worker))
{
    builder.Services.AddSingleton<IEngineHost>(new ScriptedEngineHost { BeforeToken = (_, cancellation) => Task.Delay(pause, cancellation) });
    builder.Services.AddSingleton(new WorkerOptions { ModelFolder = "" });
    builder.Services.AddWorkerGrain();
}

await using var app = builder.Build();
app.MapLlavaOperations();
if (role.HasFlag(ClusterRole.Front))
{
    NodeRoutes.Map(app);
}

await app.StartAsync();
Console.WriteLine($"listening {app.Urls.Single()}");
await app.WaitForShutdownAsync();

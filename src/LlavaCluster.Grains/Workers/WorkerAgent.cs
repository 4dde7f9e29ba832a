using LlavaCluster.Abstractions.Workers;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Grains.Workers;

/// <summary>A front's ear for the workers' reports.</summary>
internal sealed class WorkerAgent(GrainId id, Silo silo, ILoggerFactory loggers, WorkerTable table) : GrainService(id, silo, loggers), IWorkerAgent
{
    public Task ReportAsync(WorkerLoad load, long epoch)
    {
        table.Apply(load, epoch);
        return Task.CompletedTask;
    }
}

using LlavaCluster.Abstractions.Workers;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Grains.Workers;

/// <summary>A front's ear for the workers' reports.</summary>
internal sealed class WorkerAgent(GrainId id, Silo silo, ILoggerFactory loggers, WorkerTable table, IClusterMembershipService membership) : GrainService(id, silo, loggers), IWorkerAgent
{
    public Task ReportAsync(WorkerLoad load, long epoch)
    {
        // A worker that was frozen and declared dead reports until it finds that out; no grain can be placed there.
        if (membership.CurrentSnapshot.Members.Values.Any(member => member.Name == load.Worker.Silo && member.Status == SiloStatus.Active))
        {
            table.Apply(load, epoch);
        }

        return Task.CompletedTask;
    }
}

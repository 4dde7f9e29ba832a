using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Tenancy;
using Orleans.Runtime;
using Orleans.Runtime.Services;

namespace LlavaCluster.Grains.Tenants;

/// <summary>Whom an erasure has to reach: every front's agent, every worker, and the tenant's grains.</summary>
internal sealed class ErasureSurroundings(IGrainFactory grains, IServiceProvider services, ClusterSilos silos, WorkerTable table, TenantStamps stamps)
{
    private readonly Lazy<Agents> _agents = new(() => new Agents(services));

    /// <summary>Of all fronts that live.</summary>
    public IReadOnlyList<ITenantAgent> Fronts => [.. silos.Fronts.Select(_agents.Value.At)];

    /// <summary>Those that are heard of, and those whose silo lives though it says nothing.</summary>
    public IReadOnlyList<WorkerKey> Workers => [.. table.Live.Select(load => load.Worker).Union(silos.Workers).OrderBy(worker => worker.ToString(), StringComparer.Ordinal)];

    /// <summary>Whether a worker's process may still live.</summary>
    public bool Lives(WorkerKey worker) => silos.Lives(worker.Silo);

    public IModelWorkerGrain Worker(WorkerKey worker) => grains.GetGrain<IModelWorkerGrain>(worker.ToString());

    /// <summary>Calls to the grains below are the tenant's own, of the asynchronous method that asked.</summary>
    public ITrainingJobGrain Job(TrainingJobKey job)
    {
        stamps.Stamp(job.Tenant);
        return grains.GetGrain<ITrainingJobGrain>(job.ToString());
    }

    public IConversationGrain Conversation(ConversationKey conversation)
    {
        stamps.Stamp(conversation.Tenant);
        return grains.GetGrain<IConversationGrain>(conversation.ToString());
    }

    public IAdaptersGrain Adapters(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<IAdaptersGrain>(tenant.Value);
    }

    public ITenantGrain Tenant(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<ITenantGrain>(tenant.Value);
    }

    private sealed class Agents(IServiceProvider services) : GrainServiceClient<ITenantAgent>(services)
    {
        public ITenantAgent At(SiloAddress silo) => GetGrainService(silo);
    }
}

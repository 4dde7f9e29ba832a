using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting.Tenancy;

namespace LlavaCluster.Grains.Training;

/// <summary>What a job reaches outside itself: workers, their trainers, and its own tenant.</summary>
internal sealed class JobSurroundings(IGrainFactory grains, WorkerTable workers, TenantStamps stamps, JobPace pace, TimeProvider clock)
{
    public WorkerTable Workers => workers;

    public JobPace Pace => pace;

    public TimeProvider Clock => clock;

    public ITrainerGrain Trainer(WorkerKey worker) => grains.GetGrain<ITrainerGrain>(worker.ToString());

    /// <summary>The tenant's grain, for calls from the asynchronous method that asked.</summary>
    public ITenantGrain Tenant(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<ITenantGrain>(tenant.Value);
    }

    /// <summary>Likewise the grain of its adapters.</summary>
    public IAdaptersGrain Adapters(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<IAdaptersGrain>(tenant.Value);
    }
}

using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Answers;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Tenancy;

namespace LlavaCluster.Grains.Conversations;

/// <summary>What a conversation reaches outside itself: workers and the lines to them, readers in its process, and its own tenant.</summary>
internal sealed class TurnSurroundings(IGrainFactory grains, WorkerTable workers, WorkerLines lines, LocalTurns local, TenantStamps stamps, RunningWork running, TimeProvider clock)
{
    public WorkerTable Workers => workers;

    public WorkerLines Lines => lines;

    public LocalTurns Local => local;

    public RunningWork Running => running;

    public TimeProvider Clock => clock;

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

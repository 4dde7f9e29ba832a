using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Grains.Tenants;

/// <summary>The way by which requests of tenants come into a front's process; the gateway has it.</summary>
public interface ITenantDoor
{
    /// <summary>Lets no request of a tenant in until its erasure is over, ends those that run and forgets its keys.</summary>
    /// <returns>Whether none runs any more.</returns>
    bool Close(TenantId tenant);
}

using LlavaCluster.Abstractions.Identity;
using Orleans.Services;

namespace LlavaCluster.Abstractions.Tenants;

/// <summary>One in every front: what a front's process keeps of tenants beside their grains hears here of an erasure.</summary>
[Alias("llava.tenant-agent")]
public interface ITenantAgent : IGrainService
{
    /// <summary>Lets no request of a tenant in until its erasure is over, ends those that run and forgets its keys.</summary>
    /// <returns>False while some still run; to be asked again.</returns>
    [Alias("close")]
    Task<bool> CloseAsync(TenantId tenant);
}

using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Grains.Tenants;

/// <summary>A front's ear for erasures. A process without a gateway has no door to close.</summary>
internal sealed class TenantAgent(GrainId id, Silo silo, ILoggerFactory loggers, IEnumerable<ITenantDoor> doors) : GrainService(id, silo, loggers), ITenantAgent
{
    public Task<bool> CloseAsync(TenantId tenant) => Task.FromResult(doors.All(door => door.Close(tenant)));
}

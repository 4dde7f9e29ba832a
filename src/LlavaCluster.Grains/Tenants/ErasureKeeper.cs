using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Grains.Keeping;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Erasures;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Tenants;

/// <summary>Wakes the erasures that have not ended.</summary>
internal sealed class ErasureKeeper(IErasureStore store, IGrainFactory grains, TenantStamps stamps, TimeProvider clock, ILogger<ErasureKeeper> logger) : GrainKeeper<TenantId>(clock, logger)
{
    protected override Task<ImmutableArray<TenantId>> UnfinishedAsync(CancellationToken cancellationToken) => store.UnfinishedAsync(cancellationToken);

    protected override async Task WakeAsync(TenantId key, CancellationToken cancellationToken)
    {
        stamps.Stamp(key);
        await grains.GetGrain<ITenantErasureGrain>(key.Value).WakeAsync(cancellationToken);
    }
}

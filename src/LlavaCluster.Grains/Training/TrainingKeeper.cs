using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Grains.Keeping;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Training;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Training;

/// <summary>Wakes the jobs that have not ended.</summary>
internal sealed class TrainingKeeper(ITrainingStore store, IGrainFactory grains, TenantStamps stamps, TimeProvider clock, ILogger<TrainingKeeper> logger) : GrainKeeper<TrainingJobKey>(clock, logger)
{
    protected override Task<ImmutableArray<TrainingJobKey>> UnfinishedAsync(CancellationToken cancellationToken) => store.UnfinishedAsync(cancellationToken);

    protected override async Task WakeAsync(TrainingJobKey key, CancellationToken cancellationToken)
    {
        stamps.Stamp(key.Tenant);
        await grains.GetGrain<ITrainingJobGrain>(key.ToString()).TendAsync(cancellationToken);
    }
}

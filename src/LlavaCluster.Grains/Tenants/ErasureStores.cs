using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Erasures;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Training;

namespace LlavaCluster.Grains.Tenants;

/// <summary>Where a tenant's things are kept, for who has to find and remove them all.</summary>
internal sealed class ErasureStores(IErasureStore erasures, IConversationLog conversations, ITrainingStore jobs, IFileStore files, IObjectStore objects)
{
    public IConversationLog Conversations => conversations;

    public ITrainingStore Jobs => jobs;

    public IFileStore Files => files;

    public IObjectStore Objects => objects;

    public async Task<TenantContents> CountAsync(TenantId tenant)
    {
        var kept = await objects.TotalsAsync(tenant, CancellationToken.None);
        return await erasures.CountAsync(tenant, CancellationToken.None) with { Objects = kept.Count, Bytes = kept.Bytes };
    }
}

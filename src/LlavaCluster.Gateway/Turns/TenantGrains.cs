using System.Collections.Immutable;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Hosting.Tenancy;

namespace LlavaCluster.Gateway.Turns;

/// <summary>
/// The only place of the gateway that makes grain keys, always from an authenticated tenant, and that stamps calls as that tenant's.
/// A stamp holds for the asynchronous method that asked for the grain and what it calls.
/// </summary>
internal sealed class TenantGrains(IGrainFactory grains, TenantStamps stamps)
{
    public IConversationGrain Conversation(ConversationKey key)
    {
        stamps.Stamp(key.Tenant);
        return grains.GetGrain<IConversationGrain>(key.ToString());
    }

    public ITenantGrain Tenant(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<ITenantGrain>(tenant.Value);
    }

    public ITenantErasureGrain Erasure(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<ITenantErasureGrain>(tenant.Value);
    }

    public ITrainingJobGrain Job(TrainingJobKey key)
    {
        stamps.Stamp(key.Tenant);
        return grains.GetGrain<ITrainingJobGrain>(key.ToString());
    }

    public IAdaptersGrain Adapters(TenantId tenant)
    {
        stamps.Stamp(tenant);
        return grains.GetGrain<IAdaptersGrain>(tenant.Value);
    }

    /// <summary>Stamps the calling method anew: an iterator loses its stamp whenever it yields.</summary>
    public void Stamp(TenantId tenant) => stamps.Stamp(tenant);

    public Task<ImmutableArray<string>?> VerifyKeyAsync(TenantId tenant, string keyId, ImmutableArray<byte> secretHash, CancellationToken cancellationToken) =>
        Tenant(tenant).VerifyKeyAsync(keyId, secretHash, cancellationToken);

    /// <summary>Whether the operator has a key: one of the default tenant with the admin scope, without which nobody could make others.</summary>
    public async Task<bool> HasAdminKeyAsync(CancellationToken cancellationToken) =>
        (await Tenant(TenantId.Default).KeysAsync(cancellationToken)).Any(key => OpenAddress.IsOperators(key.Scopes));
}

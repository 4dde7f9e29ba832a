using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Gateway.Auth;

namespace LlavaCluster.Gateway.Turns;

/// <summary>The only place of the gateway that makes grain keys, always from an authenticated tenant.</summary>
internal sealed class TenantGrains(IGrainFactory grains)
{
    public IConversationGrain Conversation(ConversationKey key) => grains.GetGrain<IConversationGrain>(key.ToString());

    public ITenantGrain Tenant(TenantId tenant) => grains.GetGrain<ITenantGrain>(tenant.Value);

    public Task<ImmutableArray<string>?> VerifyKeyAsync(TenantId tenant, string keyId, ImmutableArray<byte> secretHash, CancellationToken cancellationToken) =>
        Tenant(tenant).VerifyKeyAsync(keyId, secretHash, cancellationToken);

    /// <summary>Whether the operator has a key: one of the default tenant with the admin scope, without which nobody could make others.</summary>
    public async Task<bool> HasAdminKeyAsync(CancellationToken cancellationToken) =>
        (await Tenant(TenantId.Default).KeysAsync(cancellationToken)).Any(key => key.Scopes.Contains(Scopes.Admin));
}

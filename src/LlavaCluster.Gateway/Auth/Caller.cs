using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Auth;

/// <summary>Who calls: the one source of the tenant in every grain key and storage path of a request.</summary>
internal sealed record Caller(TenantId Tenant, ImmutableArray<string> Scopes);

/// <summary>What a key may do.</summary>
public static class Scopes
{
    /// <summary>Models, chats, conversations and pictures of the key's own tenant.</summary>
    public const string Chat = "chat";

    /// <summary>The operator's: every tenant's keys, quotas and usage.</summary>
    public const string Admin = "admin";

    public static ImmutableArray<string> All { get; } = [Chat, Admin];
}

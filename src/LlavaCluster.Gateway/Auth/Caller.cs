using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Auth;

/// <summary>Who calls: the one source of the tenant in every grain key and storage path of a request.</summary>
internal sealed record Caller(TenantId Tenant, ImmutableArray<string> Scopes)
{
    /// <summary>Whether it may do what <see cref="Auth.Scopes.Training"/> allows.</summary>
    public bool MayTrain => Scopes.Any(scope => Auth.Scopes.Training.Contains(scope));
}

/// <summary>What a key may do.</summary>
public static class Scopes
{
    /// <summary>Models, chats, conversations and pictures of the key's own tenant.</summary>
    public const string Chat = "chat";

    /// <summary>Training files, fine-tuning jobs and adapters of the key's own tenant.</summary>
    public const string Train = "train";

    /// <summary>The operator's: every tenant's keys, quotas and usage; also to train for the key's own.</summary>
    public const string Admin = "admin";

    public static ImmutableArray<string> All { get; } = [Chat, Train, Admin];

    /// <summary>Any of them lets a caller train.</summary>
    public static ImmutableArray<string> Training { get; } = [Train, Admin];
}

using System.Diagnostics.CodeAnalysis;

namespace LlavaCluster.Abstractions.Identity;

/// <summary>The grain key of a conversation, <c>{tenant}/{id}</c>. The id is 1 to 80 of a-z, A-Z, 0-9, '-', '_'.</summary>
[GenerateSerializer, Immutable, Alias("llava.conversation-key")]
public readonly record struct ConversationKey
{
    private ConversationKey(TenantId tenant, string id)
    {
        Tenant = tenant;
        Id = id;
    }

    [Id(0)]
    public TenantId Tenant { get; }

    [Id(1)]
    public string Id { get; }

    public static bool TryCreate(TenantId tenant, string? id, [NotNullWhen(true)] out ConversationKey? key)
    {
        key = id is { Length: > 0 and <= 80 } && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? new ConversationKey(tenant, id) : null;
        return key is not null;
    }

    public static ConversationKey New(TenantId tenant) => new(tenant, Guid.CreateVersion7().ToString("n"));

    public static ConversationKey Parse(string grainKey)
    {
        var slash = grainKey.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && TryCreate(TenantId.Parse(grainKey[..slash]), grainKey[(slash + 1)..], out var key)
            ? key.Value
            : throw new FormatException($"A conversation's grain key must be tenant/id; was \"{grainKey}\".");
    }

    public override string ToString() => $"{Tenant.Value}/{Id}";
}

using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Turns;

/// <summary>How ids that clients see carry a conversation and a turn, so that no gateway keeps an index.</summary>
internal static class TurnIds
{
    private const int GuidLength = 32;

    /// <summary>The conversation behind a stateless call: one of its own, named by the turn, so that every gateway finds it again.</summary>
    public static ConversationKey Stateless(TenantId tenant, Guid turn) => Named(tenant, 's', turn);

    /// <summary>The conversation that a turn of the client's naming begins, so that the same call sent again finds the turn in it.</summary>
    public static ConversationKey BegunBy(TenantId tenant, Guid turn) => Named(tenant, 'r', turn);

    /// <summary>A turn id from what a client calls the request: a UUID as it is, any other text by its hash; the nil UUID too, since it names nothing.</summary>
    public static Guid FromClient(string idempotencyKey) =>
        Guid.TryParse(idempotencyKey, out var turn) && turn != Guid.Empty ? turn : new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(idempotencyKey)).AsSpan(0, 16));

    public static Guid New() => Guid.CreateVersion7();

    public static string Completion(Guid turn) => $"chatcmpl-{turn:n}";

    public static bool TryParseCompletion(string? id, out Guid turn)
    {
        const string Prefix = "chatcmpl-";
        turn = Guid.Empty;
        return id is not null && id.StartsWith(Prefix, StringComparison.Ordinal) && Guid.TryParseExact(id.AsSpan(Prefix.Length), "n", out turn);
    }

    public static string Response(ConversationKey conversation, Guid turn) => $"resp_{turn:n}_{conversation.Id}";

    public static bool TryParseResponse(TenantId tenant, string? id, out ConversationKey conversation, out Guid turn)
    {
        const string Prefix = "resp_";
        conversation = default;
        turn = Guid.Empty;
        if (id is null || !id.StartsWith(Prefix, StringComparison.Ordinal) || id.Length < Prefix.Length + GuidLength + 1 || id[Prefix.Length + GuidLength] != '_')
        {
            return false;
        }

        var named = ConversationKey.TryCreate(tenant, id[(Prefix.Length + GuidLength + 1)..], out var key);
        conversation = key.GetValueOrDefault();
        return named && Guid.TryParseExact(id.AsSpan(Prefix.Length, GuidLength), "n", out turn);
    }

    private static ConversationKey Named(TenantId tenant, char kind, Guid turn) =>
        ConversationKey.TryCreate(tenant, $"{kind}-{turn:n}", out var key) ? key.Value : throw new InvalidOperationException("A turn id is always a conversation id.");
}

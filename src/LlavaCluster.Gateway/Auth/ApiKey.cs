using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Auth;

/// <summary>An API key as a client sends it, <c>llava-{tenant}.{keyId}.{secret}</c>, taken apart. Never shown: its text is the tenant and the key's id.</summary>
internal sealed class ApiKey
{
    private const string Prefix = "llava-";
    private const int MaxLength = 256;

    private ApiKey(TenantId tenant, string keyId, ImmutableArray<byte> secretHash)
    {
        Tenant = tenant;
        KeyId = keyId;
        SecretHash = secretHash;
    }

    public TenantId Tenant { get; }

    public string KeyId { get; }

    /// <summary>SHA-256 of the secret's UTF-8 bytes. Secrets are random, so the hash needs no salt.</summary>
    public ImmutableArray<byte> SecretHash { get; }

    /// <summary>Whether a client means this as one of our keys, right or wrong, and not as what some clients send where none is needed.</summary>
    public static bool IsMeant(string text) => text.StartsWith(Prefix, StringComparison.Ordinal);

    public static bool TryParse(string? text, [NotNullWhen(true)] out ApiKey? key)
    {
        key = null;
        if (text is null || text.Length > MaxLength || !text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        var fields = text[Prefix.Length..].Split('.');
        if (fields is not [var tenantName, { Length: > 0 } keyId, { Length: > 0 } secret] || !TenantId.TryParse(tenantName, out var tenant))
        {
            return false;
        }

        key = new ApiKey(tenant.Value, keyId, [.. SHA256.HashData(Encoding.UTF8.GetBytes(secret))]);
        return true;
    }

    /// <summary>A fresh key's text, with 256 bits of randomness.</summary>
    public static string New(TenantId tenant) =>
        $"{Prefix}{tenant.Value}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";

    /// <summary>Equal in tenant, id and secret; the secret is compared in constant time.</summary>
    public bool Matches(ApiKey other) =>
        Tenant == other.Tenant && KeyId == other.KeyId && CryptographicOperations.FixedTimeEquals(SecretHash.AsSpan(), other.SecretHash.AsSpan());

    public override string ToString() => $"{Tenant.Value}.{KeyId}";
}

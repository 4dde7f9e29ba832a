using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Asks a key's tenant whether the key holds, and keeps the answer for a while under the hash of the whole key.
/// Wrong keys are kept too, so that guessing costs the grains little. Safe for use by many threads.
/// </summary>
internal sealed class KeyVerifier(TenantGrains tenants, GatewayOptions options, TimeProvider time) : IDisposable
{
    private const int MaxKept = 20_000;
    private const int MaxVerifications = 64;

    private readonly ImmutableArray<ApiKey> _static = [.. options.StaticKeys.Select(ParseStatic)];
    private readonly ConcurrentDictionary<string, Kept> _kept = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _verifications = new(MaxVerifications);

    public bool HasStaticKeys => !_static.IsEmpty;

    public async Task<Caller?> VerifyAsync(string text, CancellationToken cancellationToken)
    {
        if (!ApiKey.TryParse(text, out var key))
        {
            return null;
        }

        var name = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        var now = time.GetUtcNow();
        if (_kept.TryGetValue(name, out var kept) && kept.Until > now)
        {
            return kept.Caller;
        }

        var caller = await AskAsync(key, cancellationToken);
        MakeRoom(now);
        _kept[name] = new Kept(caller, now + options.KeyCacheLifetime);
        return caller;
    }

    public void Dispose() => _verifications.Dispose();

    private static ApiKey ParseStatic(string text) =>
        ApiKey.TryParse(text, out var key) ? key : throw new ArgumentException("Each of StaticKeys must be llava-{tenant}.{keyId}.{secret}.");

    private async Task<Caller?> AskAsync(ApiKey key, CancellationToken cancellationToken)
    {
        if (_static.Any(known => known.Matches(key)))
        {
            return new Caller(key.Tenant, Scopes.All);
        }

        await _verifications.WaitAsync(cancellationToken);
        try
        {
            var scopes = await tenants.VerifyKeyAsync(key.Tenant, key.KeyId, key.SecretHash, cancellationToken);
            return scopes is { } granted ? new Caller(key.Tenant, granted) : null;
        }
        finally
        {
            _verifications.Release();
        }
    }

    private void MakeRoom(DateTimeOffset now)
    {
        if (_kept.Count < MaxKept)
        {
            return;
        }

        foreach (var (name, kept) in _kept)
        {
            if (kept.Until <= now)
            {
                _kept.TryRemove(name, out _);
            }
        }

        if (_kept.Count >= MaxKept)
        {
            _kept.Clear();
        }
    }

    private readonly record struct Kept(Caller? Caller, DateTimeOffset Until);
}

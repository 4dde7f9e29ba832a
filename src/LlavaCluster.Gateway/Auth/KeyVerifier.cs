using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Asks a key's tenant whether the key holds, and keeps the answer for a while under the hash of the whole key.
/// Wrong keys are kept too, so that guessing costs the grains little. A key that held stays good for some time while its tenant cannot be asked:
/// the loss of a node must not lock out those who were in. Safe for use by many threads.
/// </summary>
internal sealed class KeyVerifier(TenantGrains tenants, GrainCalls calls, GatewayOptions options, TimeProvider time) : IDisposable
{
    private const int MaxKept = 20_000;
    private const int MaxVerifications = 64;

    // How long a lost tenant is left alone before the next request asks again.
    private static readonly TimeSpan StalePause = TimeSpan.FromSeconds(1);

    private readonly ImmutableArray<ApiKey> _static = [.. options.StaticKeys.Select(ParseStatic)];
    private readonly ConcurrentDictionary<string, Kept> _kept = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _verifications = new(MaxVerifications);
    private int _forgotten; // how often keys were forgotten

    public bool HasStaticKeys => !_static.IsEmpty;

    public async Task<KeyCheck> VerifyAsync(string text, CancellationToken cancellationToken)
    {
        if (!ApiKey.TryParse(text, out var key))
        {
            return new KeyCheck(null, AccessRefusal.WrongKey);
        }

        if (_static.Any(known => known.Matches(key)))
        {
            return new KeyCheck(new Caller(key.Tenant, Scopes.All), null);
        }

        var name = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        var now = time.GetUtcNow();
        var isKept = _kept.TryGetValue(name, out var kept);
        if (isKept && kept.Until > now)
        {
            return Answer(kept.Caller);
        }

        var mayServe = isKept && kept.Caller is not null && kept.StaleUntil > now;
        var forgotten = Volatile.Read(ref _forgotten);
        var asked = await AskAsync(key, mayServe ? TimeSpan.Zero : options.RecoveryPatience, cancellationToken);
        if (!asked.IsFailure(out _, out var caller))
        {
            MakeRoom(now);
            Keep(name, forgotten, new Kept(caller, now + options.KeyCacheLifetime, now + options.KeyCacheLifetime + options.StaleKeyLifetime));
            return Answer(caller);
        }

        if (!mayServe)
        {
            return new KeyCheck(null, AccessRefusal.TenantUnreachable);
        }

        Keep(name, forgotten, kept with { Until = now + StalePause });
        return Answer(kept.Caller);
    }

    /// <summary>Lets in by a tenant's keys nobody who is not asked about anew.</summary>
    public void Forget(TenantId tenant)
    {
        Interlocked.Increment(ref _forgotten);
        foreach (var (name, kept) in _kept)
        {
            if (kept.Caller?.Tenant == tenant)
            {
                _kept.TryRemove(name, out _);
            }
        }
    }

    public void Dispose() => _verifications.Dispose();

    private static ApiKey ParseStatic(string text) =>
        ApiKey.TryParse(text, out var key) ? key : throw new ArgumentException("Each of StaticKeys must be llava-{tenant}.{keyId}.{secret}.");

    private static KeyCheck Answer(Caller? caller) => new(caller, caller is null ? AccessRefusal.WrongKey : null);

    private Task<Outcome<Caller?>> AskAsync(ApiKey key, TimeSpan patience, CancellationToken cancellationToken) => calls.RepeatAsync(
        async () =>
        {
            // Taken for each attempt, so that the keys of a lost tenant do not hold up the others'.
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
        },
        patience,
        cancellationToken);

    // What was heard before keys were forgotten is not kept; taken back where the two meet.
    private void Keep(string name, int forgotten, Kept kept)
    {
        _kept[name] = kept;
        if (Volatile.Read(ref _forgotten) != forgotten)
        {
            _kept.TryRemove(name, out _);
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
            if (kept.Until <= now && (kept.Caller is null || kept.StaleUntil <= now))
            {
                _kept.TryRemove(name, out _);
            }
        }

        if (_kept.Count >= MaxKept)
        {
            _kept.Clear();
        }
    }

    /// <param name="StaleUntil">Until when a caller is let in although the answer is old and cannot be renewed.</param>
    private readonly record struct Kept(Caller? Caller, DateTimeOffset Until, DateTimeOffset StaleUntil);
}

/// <summary>Who has the key, or why nobody is let in by it: exactly one of the two.</summary>
internal readonly record struct KeyCheck(Caller? Caller, AccessRefusal? Refusal);

using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Identity;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Tenancy;

/// <summary>
/// Signs which tenant a chain of grain calls acts for, and checks it. The stamp travels in Orleans' request context, which callers control:
/// that is why it is signed, with the key only the cluster's processes have, and short-lived. Every call has one, so stamps are made anew only when half their life is
/// over, and signatures that were found genuine are remembered. Members may be called from any thread.
/// </summary>
public sealed class TenantStamps(DataDirectory data, TimeProvider clock)
{
    private const string ContextKey = "llava.tenant";
    private const int MostKept = 4096; // of each kind; what goes beyond is made or checked again
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<TenantId, Claim> _made = new();
    private readonly ConcurrentDictionary<string, Claim> _genuine = new(StringComparer.Ordinal);

    /// <summary>Stamps this asynchronous flow, and the calls it makes, as acting for a tenant. Only for the gateway, after it knows the tenant, and for a tenant's own grains.</summary>
    public void Stamp(TenantId tenant)
    {
        var now = clock.GetUtcNow();
        if (!_made.TryGetValue(tenant, out var made) || made.Expiry - now.ToUnixTimeSeconds() < Life.TotalSeconds / 2)
        {
            made = Make(tenant, (now + Life).ToUnixTimeSeconds());
            Keep(_made, tenant, made);
        }

        RequestContext.Set(ContextKey, made.Stamp);
    }

    /// <summary>Whether the current call's stamp is genuine and names the tenant that owns a grain key.</summary>
    /// <param name="fresh">Whether the stamp's age counts; the steps of an enumeration that was let in may outlive it.</param>
    public bool Admit(string grainKey, bool fresh)
    {
        if (RequestContext.Get(ContextKey) is not string stamp || Check(stamp) is not { } claim)
        {
            return false;
        }

        var owner = grainKey.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash ? grainKey.AsSpan(0, slash) : grainKey;
        return owner.SequenceEqual(claim.Tenant) && (!fresh || claim.Expiry >= clock.GetUtcNow().ToUnixTimeSeconds());
    }

    /// <summary>What a stamp claims; null where it is not genuine.</summary>
    private Claim? Check(string stamp)
    {
        if (_genuine.TryGetValue(stamp, out var known))
        {
            return known;
        }

        if (stamp.Split(':') is not [var tenant, var expiry, var signature]
            || !CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(signature), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Sign($"{tenant}:{expiry}")))))
        {
            return null;
        }

        var claim = new Claim(stamp, tenant, long.Parse(expiry, CultureInfo.InvariantCulture));
        Keep(_genuine, stamp, claim);
        return claim;
    }

    private Claim Make(TenantId tenant, long expiry)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{tenant.Value}:{expiry}");
        return new Claim($"{text}:{Convert.ToHexStringLower(Sign(text))}", tenant.Value, expiry);
    }

    private static void Keep<TKey>(ConcurrentDictionary<TKey, Claim> kept, TKey key, Claim claim)
        where TKey : notnull
    {
        if (kept.Count >= MostKept)
        {
            kept.Clear();
        }

        kept[key] = claim;
    }

    private byte[] Sign(string claim) => HMACSHA256.HashData(data.ClusterKey, Encoding.UTF8.GetBytes(claim));

    private sealed record Claim(string Stamp, string Tenant, long Expiry);
}

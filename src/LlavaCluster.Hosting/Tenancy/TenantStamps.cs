using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Identity;
using Orleans.Runtime;

namespace LlavaCluster.Hosting.Tenancy;

/// <summary>
/// Signs which tenant a chain of grain calls acts for, and checks it. The stamp travels in Orleans' request context, which callers control:
/// that is why it is signed, with the key only the cluster's processes have, and short-lived.
/// </summary>
public sealed class TenantStamps(DataDirectory data, TimeProvider clock)
{
    private const string ContextKey = "llava.tenant";
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);

    /// <summary>Stamps this asynchronous flow, and the calls it makes, as acting for a tenant. Only for the gateway, after it knows the tenant, and for a tenant's own grains.</summary>
    public void Stamp(TenantId tenant)
    {
        var claim = string.Create(CultureInfo.InvariantCulture, $"{tenant.Value}:{(clock.GetUtcNow() + Life).ToUnixTimeSeconds()}");
        RequestContext.Set(ContextKey, $"{claim}:{Convert.ToHexStringLower(Sign(claim))}");
    }

    /// <summary>Whether the current call's stamp is genuine and names the tenant that owns a grain key.</summary>
    /// <param name="fresh">Whether the stamp's age counts; the steps of an enumeration that was let in may outlive it.</param>
    public bool Admit(string grainKey, bool fresh)
    {
        if (RequestContext.Get(ContextKey) is not string stamp || stamp.Split(':') is not [var tenant, var expiry, var signature])
        {
            return false;
        }

        var genuine = CryptographicOperations.FixedTimeEquals(
            Encoding.ASCII.GetBytes(signature),
            Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Sign($"{tenant}:{expiry}"))));
        var owner = grainKey.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash ? grainKey[..slash] : grainKey;
        return genuine
            && owner == tenant
            && (!fresh || long.Parse(expiry, CultureInfo.InvariantCulture) >= clock.GetUtcNow().ToUnixTimeSeconds());
    }

    private byte[] Sign(string claim) => HMACSHA256.HashData(data.ClusterKey, Encoding.UTF8.GetBytes(claim));
}

using System.Net;
using System.Net.Sockets;

namespace LlavaCluster.Gateway.Images;

/// <summary>Which addresses a fetched picture may come from: global unicast only, by the IANA special-purpose registries (RFC 6890 and its updates).</summary>
internal static class IpRules
{
    private static readonly IPNetwork[] ForbiddenV4 =
    [
        .. "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
            .Split(' ').Select(text => IPNetwork.Parse(text)),
    ];

    private static readonly IPNetwork GlobalV6 = IPNetwork.Parse("2000::/3");

    // Protocol assignments with Teredo and ORCHID, documentation, 6to4 (which carries an IPv4 address), documentation again.
    private static readonly IPNetwork[] ForbiddenV6 = [.. "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20".Split(' ').Select(text => IPNetwork.Parse(text))];

    public static bool IsGlobalUnicast(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !ForbiddenV4.Any(network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => GlobalV6.Contains(address) && !ForbiddenV6.Any(network => network.Contains(address)) && address.ScopeId == 0,
            _ => false,
        };
    }
}

using System.Net;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Keeps other web pages out of a server that needs no key. A page of a foreign site can reach loopback (by a name it re-points there, or by posting
/// blindly), but its browser then sends that site's name as Host or Origin; both must be loopback's own.
/// </summary>
internal static class LoopbackGuard
{
    /// <summary>Why the request is not from this machine's own user; null if it is.</summary>
    public static string? Refusal(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is { } remote && !IPAddress.IsLoopback(remote))
        {
            return "A server without keys answers only its own machine.";
        }

        var host = context.Request.Host;
        if (!IsLoopbackName(host.Host))
        {
            return "A server without keys answers only under a loopback name (localhost, 127.0.0.1, [::1]): the Host header had another.";
        }

        var origins = context.Request.Headers.Origin;
        foreach (var origin in origins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri) || !IsLoopbackName(uri.Host) || uri.Port != (host.Port ?? DefaultPort(context)))
            {
                return "A server without keys answers no other web page: the Origin header is not this server's.";
            }
        }

        return context.Request.Headers["Sec-Fetch-Site"] is ["cross-site"] ? "A server without keys answers no other web page." : null;
    }

    public static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    private static int DefaultPort(HttpContext context) => context.Request.IsHttps ? 443 : 80;
}

using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;

namespace LlavaCluster.Gateway.Images;

/// <summary>
/// Fetches a picture from an https URL without becoming a door into the network it stands in: the name is looked up once, every address must be global
/// unicast, the connection goes to that very address, each redirect is a new URL under the same rules, and bytes and time are bounded while they come.
/// </summary>
internal sealed class ImageFetcher : IDisposable
{
    private readonly ImageLimits _limits;
    private readonly IEgress _egress;
    private readonly HttpMessageInvoker _http;

    public ImageFetcher(ImageLimits limits, IEgress egress, RemoteCertificateValidationCallback? certificateCheck = null)
    {
        _limits = limits;
        _egress = egress;
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectCallback = ConnectAsync,
            // A pooled connection would be an address nobody checked for this request.
            PooledConnectionLifetime = TimeSpan.Zero,
            UseCookies = false,
            UseProxy = false,
            SslOptions = { RemoteCertificateValidationCallback = certificateCheck },
        });
    }

    /// <param name="field">The request field the URL came in, for error texts.</param>
    public async Task<Outcome<byte[]>> FetchAsync(string url, string field, CancellationToken cancellationToken)
    {
        if (!_limits.AllowUrls)
        {
            return Refuse(field, "must be a data URL: this server does not fetch pictures.");
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_limits.UrlTimeout);
        try
        {
            return await FollowAsync(url, field, deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Refuse(field, $"must be answered within {_limits.UrlTimeout.TotalSeconds:0.#} s.");
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException)
        {
            // The exception's text may tell of the inside of our network.
            return Refuse(field, "could not be fetched.");
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<Outcome<byte[]>> FollowAsync(string url, string field, CancellationToken cancellationToken)
    {
        for (var hop = 0; hop <= _limits.MaxRedirects; hop++)
        {
            if (Check(url, field, out var uri) is { } failure)
            {
                return failure;
            }

            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            request.Headers.TryAddWithoutValidation("Accept", "image/*");
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect
                && response.Headers.Location is { } location)
            {
                url = new Uri(uri, location).AbsoluteUri;
                continue;
            }

            return response.StatusCode == HttpStatusCode.OK
                ? await ReadAsync(response, field, cancellationToken)
                : Refuse(field, $"must be answered with status 200; was {(int)response.StatusCode}.");
        }

        return Refuse(field, $"must lead to a picture within {_limits.MaxRedirects} redirects.");
    }

    private ChatFailure? Check(string url, string field, out Uri uri)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out uri!) || uri.Scheme != Uri.UriSchemeHttps || uri.UserInfo.Length > 0 || uri.Port != 443)
        {
            return Refuse(field, "must be an https URL on port 443 without a user name.");
        }

        if (HostOf(uri) is not { } host)
        {
            return Refuse(field, "must name a host that domain names can have.");
        }

        return _limits.UrlHosts.Count == 0 || _limits.UrlHosts.Contains(host, StringComparer.OrdinalIgnoreCase)
            ? null
            : Refuse(field, "must be on a host that this server's operator allows.");
    }

    /// <summary>The host as it is looked up; null for one that is no domain name, which .NET finds out only when it is asked.</summary>
    private static string? HostOf(Uri uri)
    {
        try
        {
            return uri.IdnHost;
        }
        catch (UriFormatException)
        {
            return null;
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await _egress.ResolveAsync(host, cancellationToken);
        if (addresses.Length == 0 || !addresses.All(IpRules.IsGlobalUnicast))
        {
            throw new HttpRequestException("The host has an address that is not public.");
        }

        return await _egress.ConnectAsync(new IPEndPoint(addresses[0], port), cancellationToken);
    }

    private async Task<Outcome<byte[]>> ReadAsync(HttpResponseMessage response, string field, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentLength > _limits.File.MaxBytes)
        {
            return TooLarge(field);
        }

        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var content = new MemoryStream();
        var buffer = new byte[81_920];
        while (await stream.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            content.Write(buffer, 0, read);
            if (content.Length > _limits.File.MaxBytes)
            {
                return TooLarge(field);
            }
        }

        return content.ToArray();
    }

    private ChatFailure TooLarge(string field) => Refuse(field, $"must be at most {_limits.File.MaxBytes} bytes.");

    private static ChatFailure Refuse(string field, string rule) => new(ChatFailureKind.InvalidRequest, $"{field} {rule}", field);
}

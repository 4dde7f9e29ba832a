using System.Net;

namespace LlavaCluster.Gateway.Images;

/// <summary>The network as the image fetcher sees it.</summary>
internal interface IEgress
{
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);

    /// <summary>Connects to exactly this address.</summary>
    Task<Stream> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken);
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using LlavaCluster.Gateway.Images;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Tests.Images;

/// <summary>
/// An https server on loopback that plays every host of the internet: each name is looked up as a public address, and a connection to it comes here.
/// </summary>
internal sealed class PictureHost : IEgress, IAsyncDisposable
{
    private static readonly IPAddress Public = IPAddress.Parse("8.8.8.8");

    private readonly WebApplication _app;

    private PictureHost(WebApplication app) => _app = app;

    /// <summary>The names that were looked up, in order.</summary>
    public List<string> Lookups { get; } = [];

    public static async Task<PictureHost> StartAsync(RequestDelegate answer)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        using var made = new CertificateRequest("CN=pictures.example", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return new PictureHost(app);
    }

    /// <summary>A fetcher that believes this host's certificate.</summary>
    public ImageFetcher Fetcher(ImageLimits limits) => new(limits, this, (_, _, _, _) => true);

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        Lookups.Add(host);
        return Task.FromResult<IPAddress[]>([Public]);
    }

    public async Task<Stream> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        Assert.Equal(new IPEndPoint(Public, 443), endPoint);
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_app.Urls.First()).Port, cancellationToken);
        return client.GetStream();
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }
}

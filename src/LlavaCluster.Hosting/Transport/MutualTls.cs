using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Hosting;

namespace LlavaCluster.Hosting.Transport;

/// <summary>Mutual TLS 1.3 between silos: both sides show a certificate that the cluster's own authority signed; nothing else is trusted.</summary>
internal static partial class MutualTls
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    public static void Configure(ISiloBuilder silo, TransportCertificates paths)
    {
        var certificate = Load(() => X509Certificate2.CreateFromPemFile(paths.CertificatePath, paths.KeyPath), paths.CertificatePath);
        var authority = Load(() => X509CertificateLoader.LoadCertificateFromFile(paths.AuthorityPath), paths.AuthorityPath);
        silo.Configure<SiloConnectionOptions>(connections =>
        {
            connections.ConfigureSiloInboundConnection(connection => Use(connection, certificate, authority, server: true));
            connections.ConfigureSiloOutboundConnection(connection => Use(connection, certificate, authority, server: false));
        });
    }

    private static void Use(IConnectionBuilder connection, X509Certificate2 certificate, X509Certificate2 authority, bool server)
    {
        var logger = connection.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("LlavaCluster.Hosting.MutualTls");
        connection.Use(next => async context =>
        {
            var plain = context.Transport;
            await using var stream = new SslStream(new DuplexPipeStream(plain), leaveInnerStreamOpen: false, (_, peer, _, _) => IsSigned(peer, authority));
            try
            {
                await ShakeHandsAsync(stream, certificate, server);
            }
            catch (Exception fault) when (fault is AuthenticationException or IOException or OperationCanceledException)
            {
                LogRefused(logger, context.RemoteEndPoint, fault.Message);
                throw;
            }

            await using var secured = new StreamDuplexPipe(stream);
            context.Transport = secured;
            try
            {
                await next(context);
            }
            finally
            {
                context.Transport = plain;
            }
        });
    }

    private static async Task ShakeHandsAsync(SslStream stream, X509Certificate2 certificate, bool server)
    {
        using var timeout = new CancellationTokenSource(HandshakeTimeout);
        if (server)
        {
            await stream.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificate = certificate,
                    ClientCertificateRequired = true,
                    EnabledSslProtocols = SslProtocols.Tls13,
                },
                timeout.Token);
        }
        else
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "llava-silo",
                    ClientCertificates = [certificate],
                    EnabledSslProtocols = SslProtocols.Tls13,
                },
                timeout.Token);
        }
    }

    private static bool IsSigned(X509Certificate? peer, X509Certificate2 authority)
    {
        if (peer is null)
        {
            return false;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        using var certificate = new X509Certificate2(peer);
        return chain.Build(certificate);
    }

    private static X509Certificate2 Load(Func<X509Certificate2> load, string path)
    {
        try
        {
            return load();
        }
        catch (Exception fault) when (fault is IOException or System.Security.Cryptography.CryptographicException or UnauthorizedAccessException)
        {
            throw new ClusterStartException($"The certificate \"{path}\" cannot be read: {fault.Message}", fault);
        }
    }

    [LoggerMessage(LogLevel.Warning, "No TLS with the peer at {EndPoint}: {Reason}")]
    private static partial void LogRefused(ILogger logger, System.Net.EndPoint? endPoint, string reason);
}

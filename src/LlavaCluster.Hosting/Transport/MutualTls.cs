using System.Net.Security;
using System.Security.Authentication;
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
        var tls = MutualTlsOptions.Load(paths);
        silo.Configure<SiloConnectionOptions>(connections =>
        {
            connections.ConfigureSiloInboundConnection(connection => Use(connection, tls, server: true));
            connections.ConfigureSiloOutboundConnection(connection => Use(connection, tls, server: false));
        });
    }

    private static void Use(IConnectionBuilder connection, MutualTlsOptions tls, bool server)
    {
        var logger = connection.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("LlavaCluster.Hosting.MutualTls");
        connection.Use(next => async context =>
        {
            var plain = context.Transport;
            await using var stream = new SslStream(new DuplexPipeStream(plain), leaveInnerStreamOpen: false);
            try
            {
                await ShakeHandsAsync(stream, tls, server);
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

    private static async Task ShakeHandsAsync(SslStream stream, MutualTlsOptions tls, bool server)
    {
        using var timeout = new CancellationTokenSource(HandshakeTimeout);
        await (server ? stream.AuthenticateAsServerAsync(tls.Server, timeout.Token) : stream.AuthenticateAsClientAsync(tls.Client, timeout.Token));
    }

    [LoggerMessage(LogLevel.Warning, "No TLS with the peer at {EndPoint}: {Reason}")]
    private static partial void LogRefused(ILogger logger, System.Net.EndPoint? endPoint, string reason);
}

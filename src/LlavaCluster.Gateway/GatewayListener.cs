using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace LlavaCluster.Gateway;

/// <summary>
/// One port for web pages and gRPC without TLS. A plain connection cannot negotiate its protocol, but HTTP/2 clients that know it speak first,
/// with a preface that no HTTP/1.1 request starts with (RFC 9113, section 3.4).
/// </summary>
public static class GatewayListener
{
    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>Listens for HTTP/1.1 and for HTTP/2 with prior knowledge on one address. Port 0 picks a free one.</summary>
    public static void ListenLlava(this KestrelServerOptions kestrel, IPEndPoint endPoint)
    {
        // The connection below claims ALPN, which Kestrel takes for TLS; the scheme that clients then send is http all the same.
        kestrel.AllowAlternateSchemes = true;
        kestrel.Listen(endPoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.Use(next => connection => RouteAsync(connection, next, kestrel.Limits));
        });
    }

    private static async Task RouteAsync(ConnectionContext connection, ConnectionDelegate next, KestrelServerLimits limits)
    {
        bool prior;
        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed))
        {
            // Kestrel's own limits begin when it is handed the connection, which one that says nothing never is.
            patience.CancelAfter(limits.RequestHeadersTimeout);
            try
            {
                prior = await StartsWithPrefaceAsync(connection, patience.Token);
            }
            catch (OperationCanceledException)
            {
                connection.Abort(new ConnectionAbortedException("The connection said nothing in time."));
                return;
            }
        }

        if (prior)
        {
            connection.Features.Set<ITlsApplicationProtocolFeature>(new PriorKnowledge());
            connection.Features.Set<ITlsConnectionFeature>(new PriorKnowledge());
        }

        await next(connection);
    }

    private static async Task<bool> StartsWithPrefaceAsync(ConnectionContext connection, CancellationToken cancellationToken)
    {
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            var seen = Math.Min(read.Buffer.Length, Preface.Length);
            var matches = read.Buffer.Slice(0, seen).ToArray().AsSpan().SequenceEqual(Preface.AsSpan(0, (int)seen));
            var decided = !matches || seen == Preface.Length || read.IsCompleted;
            // Nothing is consumed; what was examined only counts as such while more is needed.
            input.AdvanceTo(read.Buffer.Start, decided ? read.Buffer.Start : read.Buffer.End);
            if (decided)
            {
                return matches && seen == Preface.Length;
            }
        }
    }

    private sealed class PriorKnowledge : ITlsApplicationProtocolFeature, ITlsConnectionFeature
    {
        public ReadOnlyMemory<byte> ApplicationProtocol { get; } = "h2"u8.ToArray();

        public System.Security.Cryptography.X509Certificates.X509Certificate2? ClientCertificate { get; set; }

        public Task<System.Security.Cryptography.X509Certificates.X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) =>
            Task.FromResult(ClientCertificate);
    }
}

using System.Net.Sockets;
using System.Text;
using LlavaCluster.Gateway.Tests.Fakes;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace LlavaCluster.Gateway.Tests;

/// <summary>What a connection may say, and how long it may say nothing.</summary>
public sealed class ListenerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("P")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r")]
    public async Task Connection_ThatStaysSilent_IsClosed(string said)
    {
        await using var server = await GatewayServer.StartAsync(services: ShortPatience);
        using var client = new TcpClient();
        await client.ConnectAsync(server.Address.Host, server.Address.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(said), Cancel);
        Assert.Equal(0, await ReadToEndAsync(stream));
    }

    [Theory]
    [InlineData("GET /v1/models HTTP/1.0\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 OK")]
    [InlineData("GET /v1/models HTTP/1.0\r\n\r\n", "HTTP/1.1 403 Forbidden")]
    [InlineData("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData("GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData("GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 403 Forbidden")]
    [InlineData("GET /v1/models/%00%0d%0aX:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK")]
    public async Task Request_OfOldOrWrongHttp_HasItsStatus(string request, string status)
    {
        await using var server = await GatewayServer.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(server.Address.Host, server.Address.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Cancel);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        Assert.Equal(status, await reader.ReadLineAsync(Cancel));
    }

    private static void ShortPatience(IServiceCollection services) =>
        services.Configure<KestrelServerOptions>(kestrel => kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromMilliseconds(50));

    /// <summary>How many bytes come before the end, however the other side ends it.</summary>
    private static async Task<int> ReadToEndAsync(NetworkStream stream)
    {
        try
        {
            using var content = new MemoryStream();
            await stream.CopyToAsync(content, Cancel);
            return (int)content.Length;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}

using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>A front and a worker that speak mutual TLS, and those who try to speak with them.</summary>
public sealed class MutualTlsTests : IDisposable
{
    private static readonly string[] Worker = ["--role", "worker", "--model", Goldens.Path("a_llava15"), "--template", "bare"];

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(120));

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Silo_WithACertificateOfAnotherAuthority_CannotJoinOrCall()
    {
        var ours = new CertificateFolder(Path.Combine(_data, "ours"));
        var theirs = new CertificateFolder(Path.Combine(_data, "theirs"));
        var cluster = Path.Combine(_data, "cluster");
        var port = Ports.Free();
        await using var front = await Node.ServeAsync(cluster, "front", ["--role", "front", "--silo-port", $"{port}", .. ours.Arguments], Stop);
        await using var worker = await Node.ServeAsync(cluster, "worker", [.. Worker, .. ours.Arguments], Stop);
        await front.KnowsAsync("worker", Stop);

        // It shares the membership and the cluster's key; only its certificate is wrong.
        await using var stranger = Node.Launch(cluster, "stranger", [.. Worker, .. theirs.Arguments]);
        await stranger.SaysAsync("No TLS with the peer", Stop);
        await AssertRefusedAsync(front, port, theirs.Certificate);
        await AssertRefusedAsync(front, port, null);

        var answer = new StreamedAnswer("Is anyone there?", 0, tokens: 20);
        await answer.AskAsync(front, Stop);
        Assert.Equal("response.incomplete", answer.ClosedBy);
        Assert.False(stranger.HasSaid("is ready on"));
        Assert.False(front.HasSaid("Worker stranger"));
    }

    /// <summary>A caller that trusts everyone is refused by the silo itself.</summary>
    private async Task AssertRefusedAsync(Node front, int port, X509Certificate2? certificate)
    {
        var before = front.Lines;
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, Stop);
        await using var stream = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
        var options = new SslClientAuthenticationOptions { TargetHost = "llava-silo", ClientCertificates = certificate is null ? [] : [certificate] };
        await stream.AuthenticateAsClientAsync(options, Stop); // in TLS 1.3 a client only hears of its refusal when it reads
        Assert.Equal(0, await ReadAsync(stream));
        await front.SaysAsync("No TLS with the peer", Stop, before);
    }

    private async Task<int> ReadAsync(SslStream stream)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], Stop);
        }
        catch (IOException)
        {
            return 0; // An alert, or a reset.
        }
    }
}

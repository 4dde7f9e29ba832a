using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using LlavaCluster.Training.Distributed;

namespace LlavaCluster.Training.Tests.Distributed;

/// <summary>Rings under mutual TLS.</summary>
public sealed class RingTlsTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ring_UnderTls_SumsAndBroadcasts()
    {
        await using var ring = await TestRing.FormAsync(3, new RingOptions { OperationTimeout = TestRing.Deadline, Tls = Authority.Create().Issue() });
        var sums = ring.Members.Select(member => Enumerable.Repeat(member.Rank + 1f, 700_001).ToArray()).ToArray();
        var states = ring.Members.Select(_ => new MemoryStream()).ToArray();
        states[2] = new MemoryStream([1, 2, 3]);

        await ring.EachAsync(member =>
        {
            member.Sum(sums[member.Rank]);
            member.Broadcast(2, states[member.Rank]);
            member.Barrier();
        });

        Assert.All(sums, sum => Assert.All(sum, value => Assert.Equal(6, value)));
        Assert.All(states, state => Assert.Equal([1, 2, 3], state.ToArray()));
    }

    [Fact]
    public async Task Ring_UnderTls_EndsForAllWhenOneIsTold()
    {
        await using var ring = await TestRing.FormAsync(3, new RingOptions { OperationTimeout = TestRing.Deadline, Tls = Authority.Create().Issue() });
        var waiting = ring.Members.Take(2).Select(member => TestRing.BreakOf(() => member.Sum(new float[700_001]))).ToArray();

        ring.Members[2].Abort("Stop.");

        Assert.All(await Task.WhenAll(waiting), broken => Assert.Equal(RingFault.Closed, broken.Fault));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MemberWithoutTheAuthoritysCertificate_IsNotAdmittedThoughItKnowsTheSecret(bool anotherAuthority)
    {
        await using var first = TestRing.Listen(new RingOptions { Tls = Authority.Create().Issue() });
        await using var second = TestRing.Listen(new RingOptions { Tls = anotherAuthority ? Authority.Create().Issue() : null });
        IPEndPoint[] places = [first.EndPoint, second.EndPoint];

        var joins = new[] { first, second }.Select((listener, rank) => RingGroup.JoinAsync(listener, TestRing.Member(places, rank), TimeSpan.FromSeconds(1), Stop)).ToArray();

        foreach (var join in joins)
        {
            Assert.Equal(RingFault.Unformed, (await Assert.ThrowsAsync<RingBrokenException>(() => join)).Fault);
        }
    }

    private sealed record Authority(X509Certificate2 Certificate)
    {
        private static readonly DateTimeOffset From = DateTimeOffset.UnixEpoch;
        private static readonly DateTimeOffset To = From.AddYears(100);

        public static Authority Create()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=authority", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
            return new Authority(request.CreateSelfSigned(From, To));
        }

        public RingTls Issue()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var signed = new CertificateRequest("CN=silo", key, HashAlgorithmName.SHA256).Create(Certificate, From, To, [1]);
            var certificate = signed.CopyWithPrivateKey(key);
            return new RingTls(
                new SslServerAuthenticationOptions { ServerCertificate = certificate, ClientCertificateRequired = true, EnabledSslProtocols = SslProtocols.Tls13, RemoteCertificateValidationCallback = IsSigned },
                new SslClientAuthenticationOptions { TargetHost = "llava-silo", ClientCertificates = [certificate], EnabledSslProtocols = SslProtocols.Tls13, RemoteCertificateValidationCallback = IsSigned });
        }

        private bool IsSigned(object sender, X509Certificate? peer, X509Chain? offered, SslPolicyErrors errors)
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(Certificate);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            return peer is not null && chain.Build(new X509Certificate2(peer));
        }
    }
}

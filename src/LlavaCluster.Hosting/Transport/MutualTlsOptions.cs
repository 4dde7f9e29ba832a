using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlavaCluster.Hosting;

/// <summary>Both sides of TLS 1.3 between the cluster's processes: each shows its certificate, and trusts none but those that the cluster's own authority signed.</summary>
public sealed class MutualTlsOptions
{
    private MutualTlsOptions(X509Certificate2 certificate, X509Certificate2 authority)
    {
        RemoteCertificateValidationCallback isSigned = (_, peer, _, _) => IsSigned(peer, authority);
        Server = new SslServerAuthenticationOptions
        {
            ServerCertificate = certificate, ClientCertificateRequired = true, EnabledSslProtocols = SslProtocols.Tls13, RemoteCertificateValidationCallback = isSigned,
        };
        Client = new SslClientAuthenticationOptions
        {
            TargetHost = "llava-silo", ClientCertificates = [certificate], EnabledSslProtocols = SslProtocols.Tls13, RemoteCertificateValidationCallback = isSigned,
        };
    }

    public SslServerAuthenticationOptions Server { get; }

    public SslClientAuthenticationOptions Client { get; }

    /// <exception cref="ClusterStartException">A file cannot be read.</exception>
    public static MutualTlsOptions Load(TransportCertificates paths) => new(
        Load(() => X509Certificate2.CreateFromPemFile(paths.CertificatePath, paths.KeyPath), paths.CertificatePath),
        Load(() => X509CertificateLoader.LoadCertificateFromFile(paths.AuthorityPath), paths.AuthorityPath));

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
        catch (Exception fault) when (fault is IOException or CryptographicException or UnauthorizedAccessException)
        {
            throw new ClusterStartException($"The certificate \"{path}\" cannot be read: {fault.Message}", fault);
        }
    }
}

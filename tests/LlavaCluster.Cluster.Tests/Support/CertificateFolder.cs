using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>An authority and one certificate that it signed, as PEM files in a folder.</summary>
internal sealed class CertificateFolder
{
    private readonly string _folder;

    public CertificateFolder(string folder)
    {
        _folder = Directory.CreateDirectory(folder).FullName;
        var (from, to) = (DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest("CN=authority", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var authority = authorityRequest.CreateSelfSigned(from, to);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=silo", key, HashAlgorithmName.SHA256).Create(authority, from, to, [1]);
        File.WriteAllText(FileOf("ca"), authority.ExportCertificatePem());
        File.WriteAllText(FileOf("cert"), certificate.ExportCertificatePem());
        File.WriteAllText(FileOf("key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>As <c>llava serve</c> takes them.</summary>
    public string[] Arguments => ["--silo-cert", FileOf("cert"), "--silo-key", FileOf("key"), "--silo-ca", FileOf("ca")];

    public X509Certificate2 Certificate => X509Certificate2.CreateFromPemFile(FileOf("cert"), FileOf("key"));

    private string FileOf(string name) => Path.Combine(_folder, name + ".pem");
}

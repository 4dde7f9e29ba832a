using System.Net;

namespace LlavaCluster.Hosting;

/// <summary>How a process joins its cluster.</summary>
public sealed class ClusterOptions
{
    public ClusterRole Role { get; init; } = ClusterRole.All;

    /// <summary>Where everything durable lives. Processes of one host that share it are one cluster.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Keeps across restarts and is unique in the cluster; null: the role, and beside other processes the port where it is given or else the process id.</summary>
    public string? SiloName { get; init; }

    /// <summary>The address silos reach each other by. Any but loopback needs <see cref="Certificates"/>.</summary>
    public IPAddress SiloAddress { get; init; } = IPAddress.Loopback;

    /// <summary>0: any free port. A restart on the same port is known as such at once.</summary>
    public int SiloPort { get; init; }

    public TransportCertificates? Certificates { get; init; }

    public string ClusterId { get; init; } = "llava";

    /// <summary>How long a stopping process lets running answers end.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>Most bytes of pictures and files one tenant may store; null for no limit.</summary>
    public long? MaxTenantObjectBytes { get; init; }
}

/// <summary>PEM files for mutual TLS between silos: this silo's certificate and key, and the authority that signed every silo's.</summary>
public sealed record TransportCertificates(string CertificatePath, string KeyPath, string AuthorityPath);

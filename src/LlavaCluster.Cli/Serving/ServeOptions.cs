using System.Collections.Immutable;
using System.Net;
using LlavaCluster.Hosting;
using LlavaCluster.Model;

namespace LlavaCluster.Cli.Serving;

/// <summary>What <c>llava serve</c> was asked to do.</summary>
internal sealed record ServeOptions
{
    /// <summary>A folder of the user's own, so that conversations outlive a checkout.</summary>
    public static string DefaultData { get; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "llavacluster");

    /// <summary>The model of this repository: beside the program, or in the checkout it was built in.</summary>
    public static string ShippedModel { get; } = FindShippedModel();

    public required ClusterRole Role { get; init; }

    public required string Model { get; init; }

    public string? ModelName { get; init; }

    public string? VisionTower { get; init; }

    public string? Template { get; init; }

    public required string Weights { get; init; }

    public ComputeDevice Device { get; init; } = ComputeDevice.Cpu;

    public required string Data { get; init; }

    public required IPEndPoint EndPoint { get; init; }

    public required int SiloPort { get; init; }

    public string? SiloName { get; init; }

    public IPAddress SiloAddress { get; init; } = IPAddress.Loopback;

    /// <summary>For mutual TLS between the cluster's processes; null: none.</summary>
    public TransportCertificates? Certificates { get; init; }

    public required int Threads { get; init; }

    public required long KvBytes { get; init; }

    /// <summary>Tokens an answer guesses ahead at most; 0 for none.</summary>
    public int Guesses { get; init; } = 8;

    /// <summary>Most bytes of adapters on the device.</summary>
    public long AdapterBytes { get; init; } = 1L << 30;

    public bool Trains { get; init; } = true;

    public int TrainingThreads { get; init; } = Environment.ProcessorCount;

    /// <summary>Of the device's time, while requests keep it busy.</summary>
    public double TrainingShare { get; init; } = 0.1;

    /// <summary>Most bytes of pictures a tenant may store; null: no limit.</summary>
    public long? MaxTenantBytes { get; init; }

    /// <summary>API keys to know from the start; null: none.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Whether pictures are fetched from https URLs.</summary>
    public bool ImageUrls { get; init; }

    /// <summary>The only hosts to fetch from; empty: every public one.</summary>
    public ImmutableArray<string> ImageHosts { get; init; } = [];

    private static string FindShippedModel()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "models", "scenes");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return Path.Combine("models", "scenes");
    }
}

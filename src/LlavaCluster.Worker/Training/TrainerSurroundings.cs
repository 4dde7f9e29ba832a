using System.Net;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Training.Distributed;
using LlavaCluster.Worker.Serving;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;

namespace LlavaCluster.Worker.Training;

/// <summary>What a trainer reaches outside itself: the engine beside which it works, the tenant's objects, the job's grain, and the address at which other trainers find it.</summary>
internal sealed class TrainerSurroundings(
    LlavaEngineHost engine, IObjectStore objects, DataDirectory data, IGrainFactory grains, TenantStamps stamps, LlavaCluster.Hosting.ClusterOptions cluster, ClusterSilos silos, WorkerOptions options, IOptions<SiloOptions> silo, TimeProvider clock)
{
    private readonly string _folders = Path.Combine(data.Path, "trainers");

    public LlavaEngineHost Engine => engine;

    public IObjectStore Objects => objects;

    public WorkerOptions Options => options;

    /// <summary>Where a trainer of this silo, whose name no other process has, may keep files.</summary>
    public string Folder { get; } = Path.Combine(data.Path, "trainers", Uri.EscapeDataString(silo.Value.SiloName));

    /// <summary>What trainers of this data directory left that were killed: those of silos that are no more, and this one's where it is idle.</summary>
    public IReadOnlyList<DirectoryInfo> LeftFolders(bool isIdle)
    {
        var all = new DirectoryInfo(_folders);
        return all.Exists ? [.. all.EnumerateDirectories().Where(folder => folder.FullName == Folder ? isIdle : !silos.Lives(Uri.UnescapeDataString(folder.Name)))] : [];
    }

    /// <summary>What trainers stored and no job has heard of.</summary>
    public UnreportedObjects Unreported { get; } = new(Path.Combine(data.Path, "unreported"), silo.Value.SiloName);

    public TimeProvider Clock => clock;

    public WorkerKey Key { get; } = new(silo.Value.SiloName, 0);

    /// <summary>The job's grain, for calls from the asynchronous method that asked.</summary>
    public ITrainingJobGrain Job(TrainingJobKey job)
    {
        stamps.Stamp(job.Tenant);
        return grains.GetGrain<ITrainingJobGrain>(job.ToString());
    }

    /// <summary>A port for the other trainers, on the silo's address and as guarded as its own.</summary>
    public RingListener Listen()
    {
        var tls = cluster.Certificates is { } paths ? MutualTlsOptions.Load(paths) : null;
        return RingListener.Start(new IPEndPoint(cluster.SiloAddress, 0), new RingOptions { OperationTimeout = options.RingTimeout, Tls = tls is null ? null : new RingTls(tls.Server, tls.Client) });
    }
}

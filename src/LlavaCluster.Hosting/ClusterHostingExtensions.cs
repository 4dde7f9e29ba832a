using System.Net;
using System.Net.Sockets;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Placement;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Hosting.Transport;
using LlavaCluster.Storage.Adapters;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Membership;
using LlavaCluster.Storage.Erasures;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Sqlite;
using LlavaCluster.Storage.Tenants;
using LlavaCluster.Storage.Training;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Routing;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace LlavaCluster.Hosting;

/// <summary>Makes a process a member of the cluster: stores, membership, transport, tenancy, telemetry and health, the same for every role.</summary>
public static class ClusterHostingExtensions
{
    /// <summary>The silo metadata that says what a silo is.</summary>
    public const string RoleMetadata = "llava.role";

    private const string ReadyTag = "ready";

    /// <exception cref="ClusterStartException">The data directory, the silo's name, the address or the port cannot be used.</exception>
    public static WebApplicationBuilder UseLlavaCluster(this WebApplicationBuilder builder, ClusterOptions options)
    {
        if (!IPAddress.IsLoopback(options.SiloAddress) && options.Certificates is null)
        {
            throw new ClusterStartException($"A silo address other than loopback needs certificates for mutual TLS; was {options.SiloAddress} without.");
        }

        var port = options.SiloPort == 0 ? FreePort(options.SiloAddress) : CheckedPort(options.SiloAddress, options.SiloPort);
        var services = builder.Services;
        services.AddSingleton(options);
        var data = DataDirectory.Open(options.DataDirectory);
        var name = options.SiloName ?? DefaultName(options, data.FoundAlone);
        data.Claim(name);
        services.AddSingleton(_ => data); // By a factory, so that the host lets go of it when it ends.
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TenantStamps>();
        services.AddSingleton<ClusterSilos>();
        services.AddSingleton<RunningWork>();
        services.AddSingleton<IDrain>(provider => provider.GetRequiredService<RunningWork>());
        services.AddSingleton<IObjectStore>(provider => new DirectoryObjectStore(provider.GetRequiredService<DataDirectory>().ObjectsFolder, options.MaxTenantObjectBytes));
        if (options.Role.HasFlag(ClusterRole.Front))
        {
            services.AddSingleton(provider => OpenStore(provider.GetRequiredService<DataDirectory>()));
            services.AddSingleton<IConversationLog, SqliteConversationLog>();
            services.AddSingleton<ITenantStore, SqliteTenantStore>();
            services.AddSingleton<IAdapterStore, SqliteAdapterStore>();
            services.AddSingleton<ITrainingStore, SqliteTrainingStore>();
            services.AddSingleton<IFileStore, SqliteFileStore>();
            services.AddSingleton<IErasureStore, SqliteErasureStore>();
        }

        // Answers that run are let end before the host gives up on its services.
        services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTimeout + TimeSpan.FromSeconds(20));
        Telemetry.Add(services, builder.Configuration, name);
        services.AddHealthChecks().AddCheck<SiloHealthCheck>("silo", tags: [ReadyTag]);
        HostedGrainsExtensions.KeepHostedGrains(services);
        services.AddSiloLoop<MembershipLog>();
        builder.UseOrleans(silo => ConfigureSilo(silo, options, name, port, Telemetry.IsExported(builder.Configuration)));
        return builder;
    }

    /// <summary>Adds a condition for this process to be sent work.</summary>
    public static IServiceCollection AddReadinessCheck<T>(this IServiceCollection services, string name)
        where T : class, Microsoft.Extensions.Diagnostics.HealthChecks.IHealthCheck
    {
        services.AddHealthChecks().AddCheck<T>(name, tags: [ReadyTag]);
        return services;
    }

    /// <summary>Adds a loop that runs while the silo is a full member, to the end of its drain.</summary>
    public static IServiceCollection AddSiloLoop<T>(this IServiceCollection services)
        where T : class, ISiloLoop => services.AddSingleton<T>().AddSingleton<ILifecycleParticipant<ISiloLifecycle>, SiloLoop<T>>();

    /// <summary>
    /// Maps <c>/health/live</c> (the process runs), <c>/health/ready</c> (its role can work) and <c>/metrics</c>. Probes have no key, and running or not is
    /// all that they are told.
    /// </summary>
    /// <returns>The metrics' endpoint. It tells of every tenant's load: who may read it is for the caller to say.</returns>
    public static IEndpointConventionBuilder MapLlavaOperations(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous();
        endpoints.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains(ReadyTag) }).AllowAnonymous();
        return endpoints.MapPrometheusScrapingEndpoint();
    }

    private static SqliteStore OpenStore(DataDirectory data)
    {
        try
        {
            return new SqliteStore(data.ConversationsFile);
        }
        catch (SqliteException fault)
        {
            throw new ClusterStartException($"The data directory \"{data.Path}\" cannot be used: {fault.Message}", fault);
        }
    }

    private static void ConfigureSilo(ISiloBuilder silo, ClusterOptions options, string name, int port, bool traced)
    {
        silo.Configure<Orleans.Configuration.ClusterOptions>(cluster =>
        {
            cluster.ClusterId = options.ClusterId;
            cluster.ServiceId = "llava";
        });
        silo.Configure<SiloOptions>(o => o.SiloName = name);
        silo.Configure<EndpointOptions>(endpoint =>
        {
            endpoint.AdvertisedIPAddress = options.SiloAddress;
            endpoint.SiloPort = port;
            endpoint.GatewayPort = 0; // Nothing outside the cluster speaks Orleans to it.
        });
        silo.UseSiloMetadata(new Dictionary<string, string> { [RoleMetadata] = options.Role.ToString() });
        silo.Services.AddSingleton<IMembershipTable>(provider => new SqliteMembershipTable(provider.GetRequiredService<DataDirectory>().MembershipFile, options.ClusterId));
        ConfigureFailureDetection(silo);
        ConfigureDirectory(silo);
        silo.Services.AddPlacementDirector<WorkerPlacement, WorkerPlacementDirector>();
        silo.AddIncomingGrainCallFilter<TenantCallFilter>();
        if (traced)
        {
            silo.AddActivityPropagation();
        }

        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, DrainHook>();
        if (options.Certificates is { } certificates)
        {
            MutualTls.Configure(silo, certificates);
        }
    }

    /// <summary>Values with which a killed silo is out in one to two seconds and a frozen one in two, measured on a busy two-core host.</summary>
    private static void ConfigureFailureDetection(ISiloBuilder silo)
    {
        silo.Configure<ClusterMembershipOptions>(membership =>
        {
            membership.ProbeTimeout = TimeSpan.FromSeconds(1);
            membership.MaxProbeTimeout = TimeSpan.FromSeconds(2);
            membership.NumMissedProbesLimit = 3;
            membership.EnableConnectionLivenessCheck = false;
            membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);
            membership.TableRefreshTimeout = TimeSpan.FromSeconds(10); // How long one that was frozen may not know that it was declared dead.
        });
        silo.Configure<SiloMessagingOptions>(messaging =>
        {
            messaging.ResponseTimeout = TimeSpan.FromSeconds(15);
            messaging.CancelRequestOnTimeout = true;
        });
        silo.Configure<GrainCollectionOptions>(collection => collection.DeactivationTimeout = TimeSpan.FromSeconds(60));
    }

    /// <summary>
    /// Orleans' default directory forgets, with a lost silo, which grains live on others: a dead worker would end half the conversations' activations.
    /// The one it will be succeeded by recovers them. It need not hold lost grains back until every stray copy must be gone: conversations and tenants fence their writers.
    /// </summary>
    private static void ConfigureDirectory(ISiloBuilder silo)
    {
        silo.Configure<GrainDirectoryOptions>(directory => directory.RangeLeaseDuration = TimeSpan.Zero);
#pragma warning disable ORLEANSEXP003 // Experimental, for the reason above.
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
    }

    /// <summary>The role alone names a process that is its whole cluster, and so keeps across restarts; beside others the port or the process is needed too.</summary>
    private static string DefaultName(ClusterOptions options, bool alone)
    {
        var role = options.Role.ToString().ToLowerInvariant();
        return options.SiloPort == 0 && options.Role == ClusterRole.All && alone ? role : $"{role}-{(options.SiloPort == 0 ? Environment.ProcessId : options.SiloPort)}";
    }

    private static int FreePort(IPAddress address)
    {
        using var listener = new TcpListener(address, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static int CheckedPort(IPAddress address, int port)
    {
        try
        {
            using var listener = new TcpListener(address, port);
            listener.Start();
            return port;
        }
        catch (SocketException fault)
        {
            throw new ClusterStartException($"The silo port {address}:{port} cannot be used: {fault.Message}.", fault);
        }
    }
}

using System.Collections.Immutable;
using System.Net;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Grains;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting;
using LlavaCluster.Storage.Tenants;
using LlavaCluster.Worker;
using LlavaCluster.Worker.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Cli.Serving;

/// <summary>One process of the cluster, of any role.</summary>
internal sealed class Server : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly WebApplication _app;
    private readonly ServeOptions _options;
    private bool _started;

    private Server(WebApplication app, ServeOptions options)
    {
        _app = app;
        _options = options;
    }

    /// <exception cref="ClusterStartException">The data directory, the address or a port cannot be used.</exception>
    /// <exception cref="LlavaCluster.Model.Weights.CheckpointException">The model folder is none.</exception>
    /// <param name="engine">To serve from instead of a model.</param>
    public static Server Build(ServeOptions options, IEngineHost? engine = null)
    {
        Preflight.Check(options, loads: engine is null && options.Role.HasFlag(ClusterRole.Worker));
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        ConfigureLogging(builder.Logging);
        builder.UseLlavaCluster(new ClusterOptions
        {
            Role = options.Role,
            DataDirectory = options.Data,
            SiloName = options.SiloName,
            SiloAddress = options.SiloAddress,
            SiloPort = options.SiloPort,
            Certificates = options.Certificates,
            MaxTenantObjectBytes = options.MaxTenantBytes,
        });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLlava(options.EndPoint));
        if (options.Role.HasFlag(ClusterRole.Front))
        {
            builder.Services.AddLlavaGrains();
            builder.Services.AddSingleton<IModelCatalog, WorkerModels>();
            builder.Services.AddLlavaGateway(ToGateway(options));
        }
        else
        {
            builder.Services.AddLlavaAccess(ToGateway(options));
        }

        if (engine is not null)
        {
            builder.Services.AddSingleton(engine).AddSingleton(ToWorker(options)).AddWorkerGrain();
        }
        else if (options.Role.HasFlag(ClusterRole.Worker))
        {
            // Begins here, where all that may be refused has been looked at.
            builder.Services.AddLlavaWorker(new ModelLoading(ToWorker(options), TimeProvider.System));
        }

        var app = builder.Build();
        _ = app.Services.GetService<IEngineHost>(); // so that the model has an owner, which waits for it, also where the host is never started
        if (options.Role.HasFlag(ClusterRole.Front))
        {
            app.MapLlavaGateway();
        }
        else
        {
            app.UseLlavaAccess();
        }

        app.MapLlavaOperations().RequireAdmin();
        return new Server(app, options);
    }

    /// <summary>Serves until it is told to stop.</summary>
    /// <exception cref="ClusterStartException">The store cannot be opened, or the address needs a key and there is none.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var address = await StartAsync(cancellationToken);
        // In one write: Spectre's console writes a line in parts, between which the log may put a line of its own.
        await Console.Out.WriteLineAsync($"{_options.Role.ToString().ToLowerInvariant()} is ready on {address.GetLeftPart(UriPartial.Authority)}");
        await _app.WaitForShutdownAsync(cancellationToken);
    }

    /// <summary>Begins to serve.</summary>
    /// <returns>Where.</returns>
    /// <exception cref="ClusterStartException">As of <see cref="RunAsync"/>.</exception>
    public async Task<Uri> StartAsync(CancellationToken cancellationToken)
    {
        if (_options.Role.HasFlag(ClusterRole.Front))
        {
            await CheckStoreAsync(cancellationToken);
        }

        await _app.StartAsync(cancellationToken);
        _started = true;
        if (_options.Role == ClusterRole.All)
        {
            await WaitForWorkerAsync(cancellationToken);
        }

        return new Uri(_app.Urls.First());
    }

    /// <summary>Stops first what was started and never told to stop: turns that end must be settled while their grains are there.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_started && !_app.Lifetime.ApplicationStopped.IsCancellationRequested)
        {
            await _app.StopAsync();
        }

        await _app.DisposeAsync();
    }

    /// <summary>A moment passes until this front has heard of a worker: who calls as soon as we say that we are ready must find the model.</summary>
    private async Task WaitForWorkerAsync(CancellationToken cancellationToken)
    {
        var table = _app.Services.GetRequiredService<WorkerTable>();
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Patience);
        try
        {
            for (var changed = table.Changed; table.Models.IsEmpty; changed = table.Changed)
            {
                await changed.WaitAsync(late.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Others may have workers; without any, requests are told so.
        }
    }

    /// <summary>What would stop the host while it starts, found before, so that the answer is one line and not its last words.</summary>
    private async Task CheckStoreAsync(CancellationToken cancellationToken)
    {
        TenantRecord known;
        try
        {
            known = await _app.Services.GetRequiredService<ITenantStore>().ReadAsync(TenantId.Default, cancellationToken);
        }
        catch (SqliteException fault)
        {
            throw new ClusterStartException($"The data directory \"{_options.Data}\" cannot be used: {fault.Message}", fault);
        }

        var keys = _app.Services.GetRequiredService<GatewayOptions>().StaticKeys.Count > 0 || known.Keys.Any(key => OpenAddress.IsOperators(key.Info.Scopes));
        if (!keys && !IPAddress.IsLoopback(_options.EndPoint.Address))
        {
            throw new ClusterStartException(OpenAddress.Refusal($"{_options.EndPoint}"));
        }
    }

    // What an operator can act on: our own words, and others' errors.
    private static void ConfigureLogging(ILoggingBuilder logging) => logging
        .SetMinimumLevel(LogLevel.Warning)
        .AddFilter("LlavaCluster", LogLevel.Information)
        .AddFilter("LlavaCluster.Grains.Workers.WorkerAgent", LogLevel.Warning) // Orleans speaks in its name
        .AddFilter("Orleans", LogLevel.Error)
        .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error); // warns of HTTP/2 without TLS, which GatewayListener provides

    private static GatewayOptions ToGateway(ServeOptions options)
    {
        var gateway = new GatewayOptions();
        foreach (var key in options.KeyFile is { } path ? KeyFile.Read(path) : [])
        {
            gateway.StaticKeys.Add(key);
        }

        gateway.Images.AllowUrls = options.ImageUrls;
        foreach (var host in options.ImageHosts)
        {
            gateway.Images.UrlHosts.Add(host);
        }

        return gateway;
    }

    private static WorkerOptions ToWorker(ServeOptions options) => new()
    {
        ModelFolder = options.Model,
        ModelName = options.ModelName,
        VisionTower = options.VisionTower,
        Template = options.Template,
        Weights = WeightNames.Parse(options.Weights),
        Device = options.Device,
        Threads = options.Threads,
        KvBytes = options.KvBytes,
        Guesses = options.Guesses,
        AdapterBytes = options.AdapterBytes,
        Trains = options.Trains,
        TrainingThreads = options.TrainingThreads,
        TrainingShare = options.TrainingShare,
    };

    private sealed class WorkerModels(WorkerTable table) : IModelCatalog
    {
        public ImmutableArray<ModelCard> Models => table.Models;
    }
}

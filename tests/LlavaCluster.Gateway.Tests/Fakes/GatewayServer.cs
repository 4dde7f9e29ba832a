using System.Collections.Immutable;
using System.Net;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway.Adapters;
using Grpc.Net.Client;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Training;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Orleans;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>The real gateway on a real loopback socket, over scripted grains, a directory of pictures and one model.</summary>
internal sealed class GatewayServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _folder;

    private GatewayServer(WebApplication app, Script script, FakeGrains grains, RecordedLogs logs, string folder)
    {
        (_app, Script, Grains, Logs, _folder) = (app, script, grains, logs, folder);
        Address = new Uri(app.Urls.First());
    }

    public static ModelCard Card { get; } = new()
    {
        Name = "llava-test",
        ContextLength = 2048,
        VocabSize = 32_000,
        MaxImageTokens = 576,
        CreatedAt = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
        Precision = "f32",
        Parameters = 1000,
    };

    public Uri Address { get; }

    public Script Script { get; }

    public FakeGrains Grains { get; }

    public RecordedLogs Logs { get; }

    public IServiceProvider Services => _app.Services;

    /// <param name="beside">Another gateway of the same cluster.</param>
    public static async Task<GatewayServer> StartAsync(
        Action<GatewayOptions>? configure = null, Func<FakeGrains, Task>? prepare = null, Action<IServiceCollection>? services = null, string address = "127.0.0.1", GatewayServer? beside = null)
    {
        var options = new GatewayOptions();
        configure?.Invoke(options);
        var script = beside?.Script ?? new Script();
        var grains = beside?.Grains ?? new FakeGrains(script);
        if (prepare is not null)
        {
            await prepare(grains);
        }

        var logs = new RecordedLogs();
        var folder = Directory.CreateTempSubdirectory("llava-gateway-").FullName;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(logs).SetMinimumLevel(LogLevel.Trace);
        builder.Services.AddSingleton<IGrainFactory>(grains);
        builder.Services.AddSingleton<IModelCatalog>(new OneModel());
        builder.Services.AddSingleton<IAdapterFit, FakeFit>();
        builder.Services.AddSingleton<IObjectStore>(new DirectoryObjectStore(Path.Combine(folder, "objects")));
        builder.Services.AddSingleton<IFileStore, MemoryFiles>();
        builder.Services.AddSingleton<ITrainingStore>(new ScriptedJobList(grains));
        builder.Services.AddSingleton(_ => DataDirectory.Open(folder));
        builder.Services.AddSingleton<TenantStamps>();
        services?.Invoke(builder.Services);
        builder.Services.AddLlavaGateway(options);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLlava(new IPEndPoint(IPAddress.Parse(address), 0)));
        var app = builder.Build();
        app.MapLlavaGateway();
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            Directory.Delete(folder, recursive: true);
            throw;
        }

        return new GatewayServer(app, script, grains, logs, folder);
    }

    public GrpcChannel Grpc() => GrpcChannel.ForAddress(Address);

    public HttpClient Http() => new() { BaseAddress = Address };

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private sealed class OneModel : IModelCatalog
    {
        public ImmutableArray<ModelCard> Models => [Card];
    }
}

using System.Collections.Immutable;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Storage.Objects;
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

    public static async Task<GatewayServer> StartAsync(
        Action<GatewayOptions>? configure = null, Func<FakeGrains, Task>? prepare = null, Action<IServiceCollection>? services = null, string url = "http://127.0.0.1:0")
    {
        var options = new GatewayOptions();
        configure?.Invoke(options);
        var script = new Script();
        var grains = new FakeGrains(script);
        if (prepare is not null)
        {
            await prepare(grains);
        }

        var logs = new RecordedLogs();
        var folder = Directory.CreateTempSubdirectory("llava-gateway-").FullName;
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.ClearProviders().AddProvider(logs).SetMinimumLevel(LogLevel.Trace);
        builder.Services.AddSingleton<IGrainFactory>(grains);
        builder.Services.AddSingleton<IModelCatalog>(new OneModel());
        builder.Services.AddSingleton<IObjectStore>(new DirectoryObjectStore(folder));
        services?.Invoke(builder.Services);
        builder.Services.AddLlavaGateway(options);
        builder.WebHost.UseUrls(url);
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

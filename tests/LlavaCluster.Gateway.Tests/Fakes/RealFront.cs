using System.Collections.Immutable;
using System.Net;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Grains;
using LlavaCluster.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A whole front on loopback, grains and stores and gateway, without workers: one model is listed, and nobody trains.</summary>
internal sealed class RealFront : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _folder;

    private RealFront(WebApplication app, string folder)
    {
        (_app, _folder) = (app, folder);
        Address = new Uri(app.Urls.First());
    }

    public Uri Address { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<RealFront> StartAsync(Action<GatewayOptions>? configure = null)
    {
        var folder = Directory.CreateTempSubdirectory("llava-front-").FullName;
        var options = new GatewayOptions();
        configure?.Invoke(options);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.UseLlavaCluster(new ClusterOptions { Role = ClusterRole.Front, DataDirectory = folder, SiloName = "front", DrainTimeout = TimeSpan.FromSeconds(1) });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLlava(new IPEndPoint(IPAddress.Loopback, 0)));
        builder.Services.AddLlavaGrains();
        builder.Services.AddSingleton<IModelCatalog>(new OneModel());
        builder.Services.AddSingleton<IAdapterFit, FakeFit>();
        builder.Services.AddLlavaGateway(options);
        var app = builder.Build();
        app.MapLlavaGateway();
        await app.StartAsync();
        return new RealFront(app, folder);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private sealed class OneModel : IModelCatalog
    {
        public ImmutableArray<ModelCard> Models => [GatewayServer.Card];
    }
}

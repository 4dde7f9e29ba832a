using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Grains;
using LlavaCluster.Grains.Training;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Objects;
using LlavaCluster.TestSupport;
using LlavaCluster.Worker;
using LlavaCluster.Worker.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>A whole cluster in the test's process: grains, stores, the reference model's engine and trainer. What tests of single processes cannot see, its objects and grains, is at hand.</summary>
internal sealed class TrainingHost : IAsyncDisposable
{
    public const string Model = "a_llava15";

    private readonly WebApplication _app;
    private readonly DirectoryInfo _data;
    private readonly AwaitedLines _lines;

    private TrainingHost(WebApplication app, DirectoryInfo data, AwaitedLines lines) => (_app, _data, _lines) = (app, data, lines);

    public static TenantId Tenant { get; } = TenantId.Parse("acme");

    /// <param name="model">Its folder, which has the name <see cref="Model"/>; null for the fixture's.</param>
    /// <param name="adapterBytes">Of an adapter that the worker serves.</param>
    public static async Task<TrainingHost> StartAsync(CancellationToken cancellationToken, string? model = null, long adapterBytes = 1 << 30)
    {
        var data = Directory.CreateTempSubdirectory("llava-");
        var builder = WebApplication.CreateSlimBuilder();
        var lines = new AwaitedLines();
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddProvider(lines).AddFilter<AwaitedLines>("LlavaCluster.Worker", LogLevel.Information);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.UseLlavaCluster(new ClusterOptions { Role = ClusterRole.All, DataDirectory = data.FullName, SiloName = "all", DrainTimeout = TimeSpan.FromSeconds(5) });
        builder.Services.AddSingleton(new JobPace { Charge = TimeSpan.FromSeconds(1) });
        builder.Services.AddLlavaGrains();
        builder.Services.AddLlavaWorker(new ModelLoading(new WorkerOptions { ModelFolder = model ?? Goldens.Path(Model), Template = "bare", KvBytes = 16 << 20, Threads = 1, TrainingThreads = 1, AdapterBytes = adapterBytes }, TimeProvider.System));
        var app = builder.Build();
        await app.StartAsync(cancellationToken);
        return new TrainingHost(app, data, lines);
    }

    public IObjectStore Objects => _app.Services.GetRequiredService<IObjectStore>();

    public ITrainingJobGrain Job(TrainingJobKey key)
    {
        _app.Services.GetRequiredService<TenantStamps>().Stamp(key.Tenant);
        return _app.Services.GetRequiredService<IGrainFactory>().GetGrain<ITrainingJobGrain>(key.ToString());
    }

    public ITenantGrain TenantGrain
    {
        get
        {
            _app.Services.GetRequiredService<TenantStamps>().Stamp(Tenant);
            return _app.Services.GetRequiredService<IGrainFactory>().GetGrain<ITenantGrain>(Tenant.Value);
        }
    }

    public IAdaptersGrain Adapters
    {
        get
        {
            _app.Services.GetRequiredService<TenantStamps>().Stamp(Tenant);
            return _app.Services.GetRequiredService<IGrainFactory>().GetGrain<IAdaptersGrain>(Tenant.Value);
        }
    }

    /// <summary>Conversations about the fixture's pictures, and a zip of these.</summary>
    public async Task<(ObjectId Records, ObjectId Pictures)> StoreDataAsync(int records, CancellationToken cancellationToken) =>
        (await StoreAsync(PictureData.Records(records), cancellationToken), await StoreAsync(PictureData.Zip(), cancellationToken));

    /// <summary>Until the trainer has left a job, and the job knows all that it did.</summary>
    public Task HasLeftAsync(TrainingJobKey job, CancellationToken cancellationToken) => _lines.SeenAsync($"Has left job {job}", cancellationToken);

    /// <summary>The file of an object.</summary>
    public string FileOf(ObjectId id) => Directory.EnumerateFiles(_data.FullName, id.Value, SearchOption.AllDirectories).Single();

    public async Task<ObjectId> StoreAsync(byte[] content, CancellationToken cancellationToken)
    {
        var id = ObjectId.Of(content);
        Assert.Null(await Objects.PutAsync(Tenant, id, content, cancellationToken));
        return id;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _data.Delete(recursive: true);
    }
}

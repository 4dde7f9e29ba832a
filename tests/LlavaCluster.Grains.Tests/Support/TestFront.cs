using System.Collections.Immutable;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Grains.Conversations;
using LlavaCluster.Grains.Training;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Storage.Conversations;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Tenants;
using LlavaCluster.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A real silo on loopback with the front's grains and scripted workers, over a data directory that may outlive it.</summary>
internal sealed class TestFront : IAsyncDisposable
{
    private const string Silo = "front";
    private readonly WebApplication _app;
    private readonly Timer _reports;
    private readonly Dictionary<WorkerKey, ScriptedEngineHost> _engines = [];
    private readonly Dictionary<WorkerKey, ScriptedTrainer> _trainers = [];
    private long _epoch;

    private TestFront(WebApplication app)
    {
        _app = app;
        _reports = new Timer(_ => Report(), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(200));
    }

    public IGrainFactory Grains => _app.Services.GetRequiredService<IGrainFactory>();

    public WorkerTable Workers => _app.Services.GetRequiredService<WorkerTable>();

    public LocalTurns LocalTurns => _app.Services.GetRequiredService<LocalTurns>();

    public IObjectStore Objects => _app.Services.GetRequiredService<IObjectStore>();

    public TenantStamps Stamps => _app.Services.GetRequiredService<TenantStamps>();

    /// <summary>The faults of this front's stores.</summary>
    public StoreFaults Faults => _app.Services.GetRequiredService<StoreFaults>();

    public static async Task<TestFront> StartAsync(string data, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.UseLlavaCluster(new ClusterOptions { Role = ClusterRole.Front, DataDirectory = data, SiloName = Silo, DrainTimeout = TimeSpan.FromSeconds(1) });
        builder.Services.AddSingleton(new JobPace { Silence = TimeSpan.FromSeconds(2), Charge = TimeSpan.FromMilliseconds(200), Round = TimeSpan.FromMilliseconds(100) });
        builder.Services.AddLlavaGrains();
        builder.Services.AddSingleton<ScriptedDevices>();
        builder.Services.AddHostedGrains(typeof(TestFront).Assembly);
        builder.Services.AddSingleton<StoreFaults>();
        builder.Services.AddSingleton<SqliteConversationLog>();
        builder.Services.AddSingleton<SqliteTenantStore>();
        builder.Services.AddSingleton<IConversationLog, FaultyConversationLog>();
        builder.Services.AddSingleton<ITenantStore, FaultyTenantStore>();
        var app = builder.Build();
        await app.StartAsync(cancellationToken);
        return new TestFront(app);
    }

    public ScriptedEngineHost AddWorker(int device)
    {
        var engine = new ScriptedEngineHost();
        var key = new WorkerKey(Silo, device);
        _app.Services.GetRequiredService<ScriptedDevices>().Add(key, engine);
        lock (_engines)
        {
            _engines.Add(key, engine);
        }

        Report();
        return engine;
    }

    /// <summary>A worker that trains too.</summary>
    public ScriptedTrainer AddTrainer(int device)
    {
        var trainer = new ScriptedTrainer(new WorkerKey(Silo, device), Grains, Stamps);
        _app.Services.GetRequiredService<ScriptedDevices>().Add(trainer);
        lock (_engines)
        {
            _trainers.Add(trainer.Key, trainer);
        }

        AddWorker(device);
        return trainer;
    }

    public ITrainingJobGrain Job(TrainingJobKey key)
    {
        Stamps.Stamp(key.Tenant);
        return Grains.GetGrain<ITrainingJobGrain>(key.ToString());
    }

    public ScriptedEngineHost Engine(int device) => _app.Services.GetRequiredService<ScriptedDevices>().Engine(new WorkerKey(Silo, device).ToString());

    public ITenantErasureGrain Erasure(TenantId tenant)
    {
        Stamps.Stamp(tenant);
        return Grains.GetGrain<ITenantErasureGrain>(tenant.Value);
    }

    public IAdaptersGrain Adapters(TenantId tenant)
    {
        Stamps.Stamp(tenant);
        return Grains.GetGrain<IAdaptersGrain>(tenant.Value);
    }

    /// <summary>Stops the reports of a worker, as its death does.</summary>
    public void Silence(int device)
    {
        lock (_engines)
        {
            _engines.Remove(new WorkerKey(Silo, device));
        }
    }

    public IConversationGrain Conversation(ConversationKey key)
    {
        Stamps.Stamp(key.Tenant);
        return Grains.GetGrain<IConversationGrain>(key.ToString());
    }

    public ITenantGrain Tenant(TenantId tenant)
    {
        Stamps.Stamp(tenant);
        return Grains.GetGrain<ITenantGrain>(tenant.Value);
    }

    public static TurnRequest Ask(string text, int maxTokens = 30, ulong seed = 7, double temperature = 0, int choices = 1) => new()
    {
        TurnId = Guid.NewGuid(),
        Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfText(text)])],
        Options = new GenerationOptions { MaxTokens = maxTokens, Seed = seed, Temperature = temperature, Choices = choices, TopLogprobs = 0 },
        Model = ScriptedEngineHost.ModelName,
        AffinityKey = text,
        WorstCaseTokens = maxTokens + text.Length,
    };

    public async Task<ImmutableArray<TurnEvent>> ReadAsync(ConversationKey key, Guid turn, long after, CancellationToken cancellationToken)
    {
        var events = ImmutableArray.CreateBuilder<TurnEvent>();
        await foreach (var step in Conversation(key).FollowAsync(turn, after, cancellationToken).WithCancellation(cancellationToken))
        {
            events.Add(step);
        }

        return events.ToImmutable();
    }

    public async ValueTask DisposeAsync()
    {
        await _reports.DisposeAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private void Report()
    {
        lock (_engines)
        {
            foreach (var (worker, engine) in _engines)
            {
                var card = _trainers.TryGetValue(worker, out var trainer) ? new TrainerCard([ScriptedEngineHost.ModelName], trainer.Job?.ToString()) : null;
                Workers.Apply(new WorkerLoad { Worker = worker, Ready = engine.Status.Ready, Models = engine.Models, Waiting = engine.Status.Waiting, Trainer = card }, ++_epoch);
            }
        }
    }
}

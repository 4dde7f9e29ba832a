using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Worker.Serving;
using LlavaCluster.Worker.Training;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlavaCluster.Worker;

/// <summary>The worker as a part of a silo's host.</summary>
public static class WorkerRegistration
{
    /// <summary>Serves a model, hosts its grain and reports its load.</summary>
    /// <param name="loading">The host's from now on.</param>
    public static IServiceCollection AddLlavaWorker(this IServiceCollection services, ModelLoading loading)
    {
        services.AddSingleton(loading);
        services.AddSingleton(loading.Options);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<EngineInstruments>();
        services.AddSingleton<LlavaEngineHost>();
        services.AddSingleton<IEngineHost>(provider => provider.GetRequiredService<LlavaEngineHost>());
        services.AddSingleton<IDrain>(provider => provider.GetRequiredService<LlavaEngineHost>());
        services.AddHostedService(provider => provider.GetRequiredService<LlavaEngineHost>());
        if (loading.Options.Trains)
        {
            services.AddSingleton<TrainerSurroundings>();
            services.AddSingleton<Trainer>();
            services.AddSingleton<IDrain>(provider => provider.GetRequiredService<Trainer>());
            services.AddSiloLoop<UnreportedSweeper>();
        }

        return services.AddWorkerGrain();
    }

    /// <summary>Hosts the grain of a worker whose <see cref="IEngineHost"/> and <see cref="WorkerOptions"/> the host has, and reports its load.</summary>
    public static IServiceCollection AddWorkerGrain(this IServiceCollection services)
    {
        services.AddSiloLoop<LoadReporter>();
        return services.AddHostedGrains(typeof(ModelWorkerGrain).Assembly);
    }
}

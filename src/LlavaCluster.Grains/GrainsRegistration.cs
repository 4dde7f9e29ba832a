using LlavaCluster.Grains.Answers;
using LlavaCluster.Grains.Conversations;
using LlavaCluster.Grains.Tenants;
using LlavaCluster.Grains.Training;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Hosting;

namespace LlavaCluster.Grains;

/// <summary>A front's grains as a part of a silo's host.</summary>
public static class GrainsRegistration
{
    /// <summary>Hosts conversations, tenants and jobs, listens to the workers and wakes what a lost front left.</summary>
    public static IServiceCollection AddLlavaGrains(this IServiceCollection services)
    {
        services.AddSingleton<WorkerTable>();
        services.AddSingleton<LocalTurns>();
        services.AddSingleton<TurnSurroundings>();
        services.TryAddSingleton(new JobPace());
        services.AddSingleton<JobSurroundings>();
        services.AddSingleton<ErasureSurroundings>();
        services.AddSingleton<ErasureStores>();
        services.AddSiloLoop<WorkerLines>();
        services.AddSiloLoop<WorkerSweeper>();
        services.AddHostedService<ConversationKeeper>();
        services.AddHostedService<TrainingKeeper>();
        services.AddHostedService<ErasureKeeper>();
        services.AddGrainService<WorkerAgent>();
        services.AddGrainService<TenantAgent>();
        return services.AddHostedGrains(typeof(ConversationGrain).Assembly);
    }
}

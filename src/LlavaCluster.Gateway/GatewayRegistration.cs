using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Grpc;
using LlavaCluster.Gateway.Http;
using LlavaCluster.Gateway.Http.Adapters;
using LlavaCluster.Gateway.Http.Chat;
using LlavaCluster.Gateway.Http.Conversations;
using LlavaCluster.Gateway.Http.Files;
using LlavaCluster.Gateway.Http.FineTuning;
using LlavaCluster.Gateway.Http.Forms;
using LlavaCluster.Gateway.Http.Responses;
using LlavaCluster.Gateway.Images;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Training;
using LlavaCluster.Gateway.Turns;
using LlavaCluster.Grains.Conversations;
using LlavaCluster.Grains.Tenants;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace LlavaCluster.Gateway;

/// <summary>The gateway as a part of a host that also has a grain factory, the cluster's tenant stamps and stores, and an <see cref="IModelCatalog"/>.</summary>
public static class GatewayRegistration
{
    public static IServiceCollection AddLlavaGateway(this IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton(options.Chat);
        services.AddSingleton(options.Images);
        services.AddRouting();
        services.AddMetrics();
        services.AddSingleton<GatewayInstruments>();
        services.AddSingleton<ITenantDoor>(provider => provider.GetRequiredService<TenantDoor>());
        return services.AddAccess(options, AccessRole.Api).AddTurns().AddFineTuning().AddHttpSurface().AddGrpcSurface(options);
    }

    /// <summary>The access check alone, for a process that shows probes and metrics and no API. On an address others can reach it lets in who has a key.</summary>
    public static IServiceCollection AddLlavaAccess(this IServiceCollection services, GatewayOptions options) => services.AddAccess(options, AccessRole.Operations);

    private static IServiceCollection AddAccess(this IServiceCollection services, GatewayOptions options, AccessRole role)
    {
        services.AddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TenantGrains>();
        services.AddSingleton<GrainCalls>();
        services.AddSingleton<KeyVerifier>();
        services.AddSingleton<TenantDoor>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<AccessPolicy>(provider, role));
        return services.AddHostedService(provider => provider.GetRequiredService<AccessPolicy>());
    }

    private static IServiceCollection AddTurns(this IServiceCollection services)
    {
        services.TryAddSingleton<LocalTurns>();
        services.AddSingleton<TurnRunner>();
        services.AddSingleton<OrphanTurns>();
        services.AddHostedService(provider => provider.GetRequiredService<OrphanTurns>());
        services.AddSingleton<StatelessChat>();
        services.TryAddSingleton<IEgress, NetworkEgress>();
        services.TryAddSingleton(provider => new ImageFetcher(provider.GetRequiredService<ImageLimits>(), provider.GetRequiredService<IEgress>()));
        services.AddSingleton<ImageIntake>();
        return services.AddSingleton<RequestValidator>();
    }

    private static IServiceCollection AddFineTuning(this IServiceCollection services)
    {
        services.AddSingleton<TenantStorage>();
        services.AddSingleton<NamedObjects>();
        services.AddSingleton<UploadsUnderWay>();
        services.TryAddSingleton<IAdapterFit, AdapterFit>();
        services.AddSingleton<TrainingFileIntake>();
        services.AddSingleton<TrainingJobValidator>();
        services.AddSingleton<TrainingJobs>();
        return services.AddSingleton<TenantAdapters>();
    }

    private static IServiceCollection AddHttpSurface(this IServiceCollection services)
    {
        services.AddSingleton<BodyReader>();
        services.AddSingleton<ModelsEndpoint>();
        services.AddSingleton<CompletionStream>();
        services.AddSingleton<ResponseTargets>();
        services.AddSingleton<ResponseBeginning>();
        services.AddSingleton<ResponseStream>();
        services.AddSingleton<ResponsesEndpoint>();
        services.AddSingleton<ConversationsEndpoint>();
        services.AddSingleton<FormUpload>();
        services.AddSingleton<FileUploads>();
        services.AddSingleton<FilesEndpoint>();
        services.AddSingleton<FineTuningEndpoint>();
        services.AddSingleton<AdapterImport>();
        services.AddSingleton<AdaptersEndpoint>();
        return services.AddSingleton<ChatCompletionsEndpoint>();
    }

    private static IServiceCollection AddGrpcSurface(this IServiceCollection services, GatewayOptions options)
    {
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MaxBodyBytes;
            // The routes that would answer them would stand in the way of HTTP's own 405; RequestEdge answers them.
            grpc.IgnoreUnknownServices = true;
            grpc.Interceptors.Add<GrpcEdge>();
        });
        services.AddGrpcReflection();
        services.AddGrpcHealthChecks().AddCheck<AccessHealth>("gateway");
        return services;
    }
}

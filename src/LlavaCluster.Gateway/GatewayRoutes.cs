using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Grpc;
using LlavaCluster.Gateway.Http;
using LlavaCluster.Gateway.Http.Adapters;
using LlavaCluster.Gateway.Http.Chat;
using LlavaCluster.Gateway.Http.Conversations;
using LlavaCluster.Gateway.Http.Files;
using LlavaCluster.Gateway.Http.FineTuning;
using LlavaCluster.Gateway.Http.Responses;
using LlavaCluster.Gateway.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace LlavaCluster.Gateway;

/// <summary>Every route of the gateway, behind one door.</summary>
public static class GatewayRoutes
{
    /// <summary>
    /// Puts the access check before every endpoint of the application, also those that others map, and maps the gateway's own.
    /// Endpoints that need no key must say so with <c>AllowAnonymous()</c>.
    /// </summary>
    public static WebApplication MapLlavaGateway(this WebApplication app)
    {
        app.UseLlavaAccess();
        MapOpenAi(app);
        MapConversations(app);
        MapFineTuning(app);
        MapGrpc(app);
        WebPage.Map(app);
        return app;
    }

    /// <summary>Puts the access check before every endpoint of an application that has no API.</summary>
    public static WebApplication UseLlavaAccess(this WebApplication app)
    {
        app.UseMiddleware<RequestEdge>();
        app.UseMiddleware<AccessMiddleware>();
        return app;
    }

    /// <summary>Only keys with the scope admin may call the endpoint, where keys are needed at all.</summary>
    public static TBuilder RequireAdmin<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(RequiresScope.Admin);

    /// <summary>Likewise with one of the scopes that let train.</summary>
    private static TBuilder RequireTrain<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(RequiresScope.Train);

    private static void MapOpenAi(WebApplication app)
    {
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        app.MapGet("/v1/models", models.ListAsync).WithMetadata(RequiresScope.Any);
        app.MapGet("/v1/models/{id}", models.GetAsync).WithMetadata(RequiresScope.Any);
        app.MapDelete("/v1/models/{id}", models.DeleteAsync).RequireTrain();

        var chat = app.Services.GetRequiredService<ChatCompletionsEndpoint>();
        app.MapPost("/v1/chat/completions", chat.PostAsync);
        app.MapGet("/v1/chat/completions/{id}/events", chat.ResumeAsync);
    }

    private static void MapConversations(WebApplication app)
    {
        var responses = app.Services.GetRequiredService<ResponsesEndpoint>();
        app.MapPost("/v1/responses", responses.PostAsync);
        app.MapGet("/v1/responses/{id}", responses.GetAsync);
        app.MapDelete("/v1/responses/{id}", responses.DeleteAsync);
        app.MapPost("/v1/responses/{id}/cancel", responses.CancelAsync);

        var conversations = app.Services.GetRequiredService<ConversationsEndpoint>();
        app.MapPost("/v1/conversations", conversations.CreateAsync);
        app.MapGet("/v1/conversations/{id}", conversations.GetAsync);
        app.MapDelete("/v1/conversations/{id}", conversations.DeleteAsync);
        app.MapGet("/v1/conversations/{id}/items", conversations.ItemsAsync);
        app.MapGet("/v1/conversations/{id}/turns", conversations.TurnsAsync);

    }

    private static void MapFineTuning(WebApplication app)
    {
        var files = app.Services.GetRequiredService<FilesEndpoint>();
        // Pictures of chats and files to train on; the endpoint shows each only to whom it may.
        app.MapPost("/v1/files", files.PostAsync).WithMetadata(RequiresScope.Any);
        app.MapGet("/v1/files", files.ListAsync).WithMetadata(RequiresScope.Any);
        app.MapGet("/v1/files/{id}", files.GetAsync).WithMetadata(RequiresScope.Any);
        app.MapDelete("/v1/files/{id}", files.DeleteAsync).WithMetadata(RequiresScope.Any);
        app.MapGet("/v1/files/{id}/content", files.ContentAsync).WithMetadata(RequiresScope.Any);

        var jobs = app.Services.GetRequiredService<FineTuningEndpoint>();
        app.MapPost("/v1/fine_tuning/jobs", jobs.CreateAsync).RequireTrain();
        app.MapGet("/v1/fine_tuning/jobs", jobs.ListAsync).RequireTrain();
        app.MapGet("/v1/fine_tuning/jobs/{id}", jobs.GetAsync).RequireTrain();
        app.MapPost("/v1/fine_tuning/jobs/{id}/cancel", jobs.CancelAsync).RequireTrain();
        app.MapPost("/v1/fine_tuning/jobs/{id}/pause", jobs.PauseAsync).RequireTrain();
        app.MapPost("/v1/fine_tuning/jobs/{id}/resume", jobs.ResumeAsync).RequireTrain();
        app.MapGet("/v1/fine_tuning/jobs/{id}/events", jobs.EventsAsync).RequireTrain();
        app.MapGet("/v1/fine_tuning/jobs/{id}/checkpoints", jobs.CheckpointsAsync).RequireTrain();

        var adapters = app.Services.GetRequiredService<AdaptersEndpoint>();
        app.MapGet("/v1/adapters", adapters.ListAsync).RequireTrain();
        app.MapPost("/v1/adapters", adapters.ImportAsync).RequireTrain();
        app.MapGet("/v1/adapters/{name}/versions/{version}/content", adapters.ContentAsync).RequireTrain();
        app.MapPost("/v1/adapters/{name}/traffic", adapters.RouteAsync).RequireTrain();
        app.MapPost("/v1/adapters/{name}/rollback", adapters.RollBackAsync).RequireTrain();
    }

    private static void MapGrpc(WebApplication app)
    {
        app.MapGrpcService<ChatService>();
        app.MapGrpcService<ConversationsService>();
        app.MapGrpcService<ModelsService>().WithMetadata(RequiresScope.Any);
        app.MapGrpcService<TrainingService>().RequireTrain();
        app.MapGrpcService<AdaptersService>().RequireTrain();
        app.MapGrpcService<TenantsService>().RequireAdmin();
        app.MapGrpcReflectionService();
        // Probes have no key, and serving or not is all it says.
        app.MapGrpcHealthChecksService().AllowAnonymous();
    }
}

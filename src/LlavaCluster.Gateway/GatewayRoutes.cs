using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Grpc;
using LlavaCluster.Gateway.Http;
using LlavaCluster.Gateway.Http.Chat;
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
        app.UseMiddleware<RequestEdge>();
        app.UseMiddleware<AccessMiddleware>();
        MapOpenAi(app);
        MapGrpc(app);
        return app;
    }

    private static void MapOpenAi(WebApplication app)
    {
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        app.MapGet("/v1/models", models.ListAsync);
        app.MapGet("/v1/models/{id}", models.GetAsync);

        var chat = app.Services.GetRequiredService<ChatCompletionsEndpoint>();
        app.MapPost("/v1/chat/completions", chat.PostAsync);
        app.MapGet("/v1/chat/completions/{id}/events", chat.ResumeAsync);
    }

    private static void MapGrpc(WebApplication app)
    {
        app.MapGrpcService<ChatService>();
        app.MapGrpcService<ConversationsService>();
        app.MapGrpcService<ModelsService>();
        app.MapGrpcService<TenantsService>().WithMetadata(new RequiresScope(Scopes.Admin));
        app.MapGrpcReflectionService();
        // Probes have no key, and serving or not is all it says.
        app.MapGrpcHealthChecksService().AllowAnonymous();
    }
}

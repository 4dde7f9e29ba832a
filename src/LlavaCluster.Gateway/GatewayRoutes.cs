using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Grpc;
using LlavaCluster.Gateway.Http;
using LlavaCluster.Gateway.Http.Chat;
using LlavaCluster.Gateway.Http.Conversations;
using LlavaCluster.Gateway.Http.Files;
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
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new RequiresScope(Scopes.Admin));

    private static void MapOpenAi(WebApplication app)
    {
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        app.MapGet("/v1/models", models.ListAsync);
        app.MapGet("/v1/models/{id}", models.GetAsync);

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

        var files = app.Services.GetRequiredService<FilesEndpoint>();
        app.MapPost("/v1/files", files.PostAsync);
        app.MapGet("/v1/files/{id}", files.GetAsync);
        app.MapDelete("/v1/files/{id}", files.DeleteAsync);
        app.MapGet("/v1/files/{id}/content", files.ContentAsync);
    }

    private static void MapGrpc(WebApplication app)
    {
        app.MapGrpcService<ChatService>();
        app.MapGrpcService<ConversationsService>();
        app.MapGrpcService<ModelsService>();
        app.MapGrpcService<TenantsService>().RequireAdmin();
        app.MapGrpcReflectionService();
        // Probes have no key, and serving or not is all it says.
        app.MapGrpcHealthChecksService().AllowAnonymous();
    }
}

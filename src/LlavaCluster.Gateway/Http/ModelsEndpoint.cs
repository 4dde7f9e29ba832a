using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http;

/// <summary>GET /v1/models and /v1/models/{id}.</summary>
internal sealed class ModelsEndpoint(IModelCatalog models)
{
    public Task ListAsync(HttpContext context) =>
        context.Response.WriteAsJsonAsync(new ModelList([.. models.Models.Select(card => Entry(card.Name, card))]), Json.Options, context.RequestAborted);

    public Task GetAsync(HttpContext context, string id) => models.Find(id) is { } card
        ? context.Response.WriteAsJsonAsync(Entry(id, card), Json.Options, context.RequestAborted)
        : ErrorWriter.WriteAsync(context, new ChatFailure(ChatFailureKind.ModelNotFound, "model must be one of those in /v1/models.", "model"));

    private static ModelEntry Entry(string id, ModelCard card) =>
        new(id, card.CreatedAt.ToUnixTimeSeconds(), card.ContextLength, card.MaxImageTokens, card.Parameters, card.Precision);
}

internal sealed record ModelList(ImmutableArray<ModelEntry> Data)
{
    public string Object => "list";
}

/// <summary>OpenAI's model object, and what a client of this model should know.</summary>
internal sealed record ModelEntry(string Id, long Created, int ContextLength, int MaxImageTokens, long Parameters, string Precision)
{
    public string Object => "model";

    public string OwnedBy => "llava";
}

using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http;

/// <summary>/v1/models: the served bases and the tenant's adapters of them.</summary>
internal sealed class ModelsEndpoint(TenantAdapters adapters)
{
    public async Task ListAsync(HttpContext context)
    {
        var asked = await adapters.ModelsAsync(context.Caller().Tenant, context.RequestAborted);
        await (asked.IsFailure(out var failure, out var models)
            ? ErrorWriter.WriteAsync(context, failure)
            : context.Response.WriteAsJsonAsync(new ModelList([.. models.Select(model => Entry(context, model))]), Json.Options, context.RequestAborted));
    }

    public async Task GetAsync(HttpContext context, string id)
    {
        var found = await adapters.FindModelAsync(context.Caller().Tenant, id, context.RequestAborted);
        await (found.IsFailure(out var failure, out var model)
            ? ErrorWriter.WriteAsync(context, failure)
            : context.Response.WriteAsJsonAsync(Entry(context, model), Json.Options, context.RequestAborted));
    }

    /// <summary>Removes an adapter's name with all its versions. A base is not a tenant's to delete.</summary>
    public async Task DeleteAsync(HttpContext context, string id)
    {
        var found = await adapters.FindModelAsync(context.Caller().Tenant, id, context.RequestAborted);
        if (found.IsFailure(out var failure, out var model))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        if (model.Adapter is not { } adapter)
        {
            await ErrorWriter.WriteAsync(context, new ChatFailure(ChatFailureKind.InvalidRequest, $"model must be an adapter, base:name; was the base {model.Name}.", "model"));
            return;
        }

        var removed = await adapters.RemoveAsync(context.Caller().Tenant, adapter.Name, context.RequestAborted);
        var failed = removed.IsFailure(out failure, out var isGone);
        await (failed || !isGone
            ? ErrorWriter.WriteAsync(context, failure ?? TenantAdapters.UnknownModel)
            : context.Response.WriteAsJsonAsync(new JsonObject { ["id"] = id, ["object"] = "model", ["deleted"] = true }, Json.Options, context.RequestAborted));
    }

    private static ModelEntry Entry(HttpContext context, TenantModel model) => new(
        model.Name,
        model.CreatedAt.ToUnixTimeSeconds(),
        model.Owner(context.Caller().Tenant),
        model.Card.ContextLength,
        model.Card.MaxImageTokens,
        model.Card.Parameters,
        model.Card.Precision);
}

internal sealed record ModelList(ImmutableArray<ModelEntry> Data)
{
    public string Object => "list";
}

/// <summary>OpenAI's model object, and what a client of this model should know.</summary>
internal sealed record ModelEntry(string Id, long Created, string OwnedBy, int ContextLength, int MaxImageTokens, long Parameters, string Precision)
{
    public string Object => "model";
}

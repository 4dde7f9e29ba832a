using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Http.FineTuning;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Storage.Objects;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Adapters;

/// <summary>/v1/adapters: versions of a tenant's adapters, and which of them answer.</summary>
internal sealed class AdaptersEndpoint(BodyReader bodies, AdapterImport import, TenantAdapters adapters, IObjectStore store)
{
    public async Task ListAsync(HttpContext context)
    {
        var asked = await adapters.ListAsync(context.Caller().Tenant, context.RequestAborted);
        if (asked.IsFailure(out var failure, out var listed))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        await context.Response.WriteAsJsonAsync(new JsonObject { ["object"] = "list", ["data"] = new JsonArray([.. listed.Select(Entry)]) }, Json.Options, context.RequestAborted);
    }

    public async Task ImportAsync(HttpContext context)
    {
        if (await import.TakeAsync(context) is { } adapter)
        {
            await WriteAsync(context, adapter);
        }
    }

    /// <summary>A version's file, as it was made or brought.</summary>
    public async Task ContentAsync(HttpContext context, string name, string version)
    {
        var tenant = context.Caller().Tenant;
        var found = await adapters.FindAsync(tenant, name, context.RequestAborted);
        if (found.IsFailure(out var failure, out var adapter))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        await using var content = adapter.Versions.FirstOrDefault(known => known.Object.Value == version) is { } named ? await store.OpenAsync(tenant, named.Object, context.RequestAborted) : null;
        if (content is null)
        {
            await ErrorWriter.WriteAsync(context, ResumePoint.Unknown("version"));
            return;
        }

        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = content.Length;
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{name}.safetensors\"";
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    /// <summary>Gives a version a share of the name's traffic: 1 puts it in use, less on trial, 0 ends its trial.</summary>
    public async Task RouteAsync(HttpContext context, string name)
    {
        using var body = await bodies.ReadAsync(context);
        if (body is null)
        {
            return;
        }

        var checks = new FieldChecks();
        var fields = new JsonField(body.RootElement, "", checks);
        fields.IsObject();
        ObjectId? version = null;
        if (fields.Text("version") is var text && checks.Required(text, "version") && !ObjectId.TryParse(text, out version))
        {
            checks.Fail("version", "must be a version's id, 64 lower-case hexadecimal digits.");
        }

        var share = fields.Number("share");
        if (share is { } given)
        {
            checks.Range("share", given, 0, 1);
        }
        else
        {
            checks.Fail("share", "is required and must be between 0 and 1.");
        }

        var asked = checks.Failure is { } broken ? broken : await adapters.RouteAsync(context.Caller().Tenant, name, version!.Value, share!.Value, context.RequestAborted);
        await WriteAsync(context, asked);
    }

    /// <summary>Takes the traffic back to where it was before the last change of it.</summary>
    public async Task RollBackAsync(HttpContext context, string name) => await WriteAsync(context, await adapters.RollBackAsync(context.Caller().Tenant, name, context.RequestAborted));

    private static Task WriteAsync(HttpContext context, AdapterInfo adapter) => context.Response.WriteAsJsonAsync(Entry(adapter), Json.Options, context.RequestAborted);

    private static Task WriteAsync(HttpContext context, Outcome<AdapterInfo> asked) => asked.IsFailure(out var failure, out var adapter) ? ErrorWriter.WriteAsync(context, failure) : WriteAsync(context, adapter);

    private static JsonObject Entry(AdapterInfo adapter) => new()
    {
        ["object"] = "adapter",
        ["name"] = adapter.Name,
        ["model"] = adapter.Model,
        ["id"] = $"{adapter.Model}:{adapter.Name}",
        ["in_use"] = adapter.InUse.Value,
        ["on_trial"] = adapter.OnTrial?.Value,
        ["trial_share"] = adapter.TrialShare,
        ["versions"] = new JsonArray([.. adapter.Versions.Select(Version)]),
    };

    private static JsonObject Version(AdapterVersion version) => new()
    {
        ["object"] = "adapter.version",
        ["id"] = version.Object.Value,
        ["created_at"] = version.CreatedAt.ToUnixTimeSeconds(),
        ["bytes"] = version.Bytes,
        ["job"] = version.Job,
        ["base_loss"] = JobJson.Finite(version.BaseLoss),
        ["adapter_loss"] = JobJson.Finite(version.AdapterLoss),
    };
}

using System.Globalization;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Http.Forms;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Storage.Objects;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Adapters;

/// <summary>POST /v1/adapters: an adapter that was trained elsewhere becomes a version of a name.</summary>
internal sealed class AdapterImport(FormUpload forms, TrainingFileIntake intake, TenantAdapters adapters, IModelCatalog models, IAdapterFit fit, UploadsUnderWay underWay, NamedObjects intact, GatewayOptions options, TimeProvider time)
{
    /// <returns>The adapter; null where an error was written.</returns>
    public async Task<AdapterInfo?> TakeAsync(HttpContext context)
    {
        BodyReader.LimitBody(context, options.Training.MaxAdapterBytes + FormUpload.Beside);
        var tenant = context.Caller().Tenant;
        StoredObject? taken = null;
        AdapterInfo? adapter = null;
        underWay.Enter(tenant);
        try
        {
            var fields = await forms.ReadAsync(context, async file => (taken = await TakeAsync(context, file)) is not null);
            return adapter = fields is null ? null : await PublishAsync(context, fields, taken);
        }
        finally
        {
            // Leaves nothing of an import that came to nothing, its client gone or not, but what a version has already.
            await underWay.LeaveAsync(tenant, adapter is null ? taken?.Id : null, id => IsVersionAsync(tenant, id));
        }
    }

    /// <returns>The adapter; null where an error was written.</returns>
    private async Task<AdapterInfo?> PublishAsync(HttpContext context, IReadOnlyDictionary<string, string> fields, StoredObject? taken)
    {
        var tenant = context.Caller().Tenant;
        var checks = new FieldChecks();
        var request = Read(fields, checks);
        if (taken is null)
        {
            checks.Fail("file", "is required.");
        }

        var refusal = checks.Failure ?? await fit.RefusalAsync(tenant, request.Model, taken!.Value.Id, context.RequestAborted);
        var published = refusal is { } broken
            ? broken
            : await adapters.PublishAsync(tenant, request.Name, new AdapterVersion(taken!.Value.Id, request.Model, time.GetUtcNow(), taken.Value.Bytes, null, double.NaN, double.NaN), request.Share, CancellationToken.None); // what has a name is not dropped
        if (published.Failure is null && await intact.RefusalAsync(tenant, taken!.Value.Id, "the adapter", "file") is { } lost)
        {
            published = lost;
        }

        if (published.IsFailure(out var failure, out var adapter))
        {
            await ErrorWriter.WriteAsync(context, failure);
        }

        return adapter;
    }

    private (string Name, string Model, double? Share) Read(IReadOnlyDictionary<string, string> fields, FieldChecks checks)
    {
        var name = fields.GetValueOrDefault("name", "");
        var model = fields.GetValueOrDefault("model", "");
        if (checks.Required(name, "name"))
        {
            AdapterNames.Check(name, "name", checks);
        }

        if (checks.Required(model, "model") && models.Models.All(card => card.Name != model))
        {
            checks.Fail("model", $"must be a base of those in /v1/models; was \"{Excerpt.Of(model, 60)}\".", ChatFailureKind.ModelNotFound);
        }

        if (fields.GetValueOrDefault("share", "") is not { Length: > 0 } text)
        {
            return (name, model, null);
        }

        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var share))
        {
            checks.Fail("share", $"must be a number between 0 and 1; was \"{Excerpt.Of(text, 20)}\".");
        }

        return (name, model, checks.Range("share", share, 0, 1));
    }

    /// <summary>Null where an error was written.</summary>
    private async Task<StoredObject?> TakeAsync(HttpContext context, UploadedFile file)
    {
        var checks = new FieldChecks();
        if (file.Fields.ContainsKey("name") && file.Fields.ContainsKey("model"))
        {
            // What is known to be refused need not come first.
            Read(file.Fields, checks);
        }

        var length = AdapterFile.HeaderBytes(await file.PeekAsync(AdapterFile.LengthBytes, context.RequestAborted)) ?? 0;
        if (AdapterFile.Problem(await file.PeekAsync(AdapterFile.LengthBytes + length, context.RequestAborted)) is { } problem)
        {
            checks.Fail("file", problem);
        }

        var stored = checks.Failure is { } broken ? broken : await intake.StoreAsync(context.Caller().Tenant, file, options.Training.MaxAdapterBytes, context.RequestAborted);
        if (stored.IsFailure(out var failure, out var made))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return null;
        }

        return made;
    }

    private async Task<bool> IsVersionAsync(TenantId tenant, ObjectId made)
    {
        var asked = await adapters.ListAsync(tenant, CancellationToken.None);
        return asked.IsFailure(out _, out var known) || known.Any(adapter => adapter.Versions.Any(version => version.Object == made));
    }
}

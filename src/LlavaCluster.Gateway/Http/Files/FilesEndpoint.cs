using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Pictures;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Storage.Training;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Files;

/// <summary>/v1/files: pictures for chats and files to train on. A file's id is its content's. What trains is there only for who may train.</summary>
internal sealed class FilesEndpoint(FileUploads uploads, IFileStore files, ITrainingStore jobs, IObjectStore store, ImageLimits limits)
{
    private const int MostListed = 10_000;

    private static readonly ChatFailure Unknown = ResumePoint.Unknown("file");

    public Task PostAsync(HttpContext context) => uploads.TakeAsync(context);

    public async Task ListAsync(HttpContext context)
    {
        var checks = new FieldChecks();
        var paging = Paging.Read(context.Request, MostListed, MostListed, checks);
        var oldestFirst = Paging.OldestFirst(context.Request, checks);
        ObjectId? after = null;
        if (paging.After is { } cursor && !FileId.TryParse(cursor, out after))
        {
            checks.Fail("after", "must be a file's id.");
        }

        if (checks.Failure is { } failure)
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        var purpose = context.Request.Query["purpose"] is [{ Length: > 0 } given, ..] ? given : null;
        // Who may not train sees pictures, whatever it asks for.
        var listed = context.Caller().MayTrain || purpose is FilePurposes.Vision or null
            ? await files.ListAsync(context.Caller().Tenant, new FileQuery(context.Caller().MayTrain ? purpose : FilePurposes.Vision, after, oldestFirst, paging.Limit + 1), context.RequestAborted)
            : [];
        await WriteAsync(context, paging.Page([.. listed.Select(file => FileJson.Of(file))]));
    }

    public async Task GetAsync(HttpContext context, string id)
    {
        var found = await FindAsync(context, id);
        await (found is null ? ErrorWriter.WriteAsync(context, Unknown) : WriteAsync(context, FileJson.Of(found)));
    }

    /// <summary>The bytes: of a picture as nothing but a picture, of anything else as something to save.</summary>
    public async Task ContentAsync(HttpContext context, string id)
    {
        var file = await FindAsync(context, id);
        await using var content = file is null ? null : await store.OpenAsync(context.Caller().Tenant, file.Id, context.RequestAborted);
        if (file is null || content is null)
        {
            await ErrorWriter.WriteAsync(context, Unknown);
            return;
        }

        context.Response.ContentType = file.Purpose == FilePurposes.Vision && await HeaderAsync(content, context.RequestAborted) is { } header ? header.MediaType : "application/octet-stream";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        context.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
        context.Response.ContentLength = content.Length;
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    /// <summary>Deletes the file at once. Conversations that name a picture keep its name: their next turns cannot be answered. What a job needs that has not ended stays.</summary>
    public async Task DeleteAsync(HttpContext context, string id)
    {
        if (await FindAsync(context, id) is not { } file)
        {
            await ErrorWriter.WriteAsync(context, Unknown);
            return;
        }

        if (await jobs.NeedingAsync(context.Caller().Tenant, file.Id, context.RequestAborted) is { } job)
        {
            await ErrorWriter.WriteAsync(context, new ChatFailure(ChatFailureKind.Conflict, $"The file must not be one that a job needs; {job.Id} does, which has not ended. Cancel the job first.", "id"));
            return;
        }

        // In this order, so that what is cut off in between can be deleted again.
        await store.DeleteAsync(context.Caller().Tenant, file.Id, context.RequestAborted);
        await files.RemoveAsync(context.Caller().Tenant, file.Id, context.RequestAborted);
        await WriteAsync(context, new JsonObject { ["id"] = id, ["object"] = "file", ["deleted"] = true });
    }

    private static Task WriteAsync(HttpContext context, JsonObject body) => context.Response.WriteAsJsonAsync(body, Json.Options, context.RequestAborted);

    /// <summary>A file that the caller may see, or null. Pictures that came with a chat are none until they are asked for; checkpoints and adapters never are.</summary>
    private async Task<StoredFile?> FindAsync(HttpContext context, string id)
    {
        var caller = context.Caller();
        if (!FileId.TryParse(id, out var name))
        {
            return null;
        }

        if (await files.FindAsync(caller.Tenant, name.Value, context.RequestAborted) is { } known)
        {
            return known.Purpose == FilePurposes.Vision || caller.MayTrain ? known : null;
        }

        await using var content = await store.OpenAsync(caller.Tenant, name.Value, context.RequestAborted);
        return content is not null && await HeaderAsync(content, context.RequestAborted) is not null
            ? new StoredFile(name.Value, id, FilePurposes.Vision, content.Length, DateTimeOffset.UnixEpoch)
            : null;
    }

    /// <summary>Null for what is no picture; the stream is at its beginning again.</summary>
    private async Task<ImageHeader?> HeaderAsync(Stream content, CancellationToken cancellationToken)
    {
        if (content.Length > limits.File.MaxBytes)
        {
            return null;
        }

        var bytes = new byte[content.Length];
        await content.ReadExactlyAsync(bytes, cancellationToken);
        content.Position = 0;
        return ImageHeader.TryRead(bytes, limits.File, out var header, out _) ? header : null;
    }
}

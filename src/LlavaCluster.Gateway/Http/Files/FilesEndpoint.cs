using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Images;
using LlavaCluster.Pictures;
using LlavaCluster.Storage.Objects;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlavaCluster.Gateway.Http.Files;

/// <summary>/v1/files, for pictures only: an upload's id is its content's.</summary>
internal sealed class FilesEndpoint(BodyReader bodies, ImageIntake images, IObjectStore store, GatewayOptions options, TimeProvider time)
{
    private const string Prefix = "file-";

    // All in memory, as other bodies are: an upload needs no room on a disk before its picture is known to be one.
    private readonly FormOptions _form = new() { MemoryBufferThreshold = options.MaxBodyBytes, MultipartBodyLengthLimit = options.MaxBodyBytes };

    public async Task PostAsync(HttpContext context)
    {
        if (!context.Request.HasFormContentType)
        {
            await ErrorWriter.WriteAsync(context, StatusCodes.Status415UnsupportedMediaType, "unsupported_content_type", "Content-Type must be multipart/form-data.");
            return;
        }

        bodies.LimitBody(context);
        IFormCollection form;
        try
        {
            form = await context.Request.ReadFormAsync(_form, context.RequestAborted);
        }
        catch (BadHttpRequestException exception)
        {
            await bodies.WriteBadRequestAsync(context, exception);
            return;
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException)
        {
            // A body without its end is an IOException.
            await ErrorWriter.WriteAsync(context, StatusCodes.Status400BadRequest, "bad_request", "The body must be well-formed multipart/form-data.");
            return;
        }

        if (form["purpose"] is not [null or "" or "vision" or "user_data"] and not [])
        {
            await ErrorWriter.WriteAsync(context, Refusal("purpose", "must be vision."));
        }
        else if (form.Files.GetFile("file") is not { } file)
        {
            await ErrorWriter.WriteAsync(context, Refusal("file", "is required."));
        }
        else
        {
            await StoreAsync(context, file);
        }
    }

    public async Task GetAsync(HttpContext context, string id)
    {
        await using var content = await OpenAsync(context, id);
        await (content is null ? ErrorWriter.WriteAsync(context, ResumePoint.Unknown("file")) : WriteAsync(context, id, content.Length, null));
    }

    /// <summary>The picture's bytes, as nothing but a picture.</summary>
    public async Task ContentAsync(HttpContext context, string id)
    {
        await using var content = await OpenAsync(context, id);
        if (content is null)
        {
            await ErrorWriter.WriteAsync(context, ResumePoint.Unknown("file"));
            return;
        }

        using var bytes = new MemoryStream();
        await content.CopyToAsync(bytes, context.RequestAborted);
        context.Response.ContentType = ImageHeader.TryRead(bytes.ToArray(), options.Images.File, out var header, out _) ? header.MediaType : "application/octet-stream";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        context.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
        await context.Response.Body.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), context.RequestAborted);
    }

    /// <summary>Deletes the picture at once. Conversations that name it keep its name: their next turns cannot be answered.</summary>
    public async Task DeleteAsync(HttpContext context, string id)
    {
        var deleted = TryParse(id, out var image) && await store.DeleteAsync(context.Caller().Tenant, image.Value.Object, context.RequestAborted);
        await (deleted
            ? context.Response.WriteAsJsonAsync(new JsonObject { ["id"] = id, ["object"] = "file", ["deleted"] = true }, Json.Options, context.RequestAborted)
            : ErrorWriter.WriteAsync(context, ResumePoint.Unknown("file")));
    }

    private static bool TryParse(string id, [NotNullWhen(true)] out ImageId? image)
    {
        image = null;
        return id.StartsWith(Prefix, StringComparison.Ordinal) && ImageId.TryParse(id[Prefix.Length..], out image);
    }

    private static ChatFailure Refusal(string field, string rule) => new(ChatFailureKind.InvalidRequest, $"{field} {rule}", field);

    private async Task StoreAsync(HttpContext context, IFormFile file)
    {
        if (file.Length > options.Images.File.MaxBytes)
        {
            await ErrorWriter.WriteAsync(context, Refusal("file", $"must be at most {options.Images.File.MaxBytes} bytes; was {file.Length}."));
            return;
        }

        var bytes = new byte[file.Length];
        await using (var stream = file.OpenReadStream())
        {
            await stream.ReadExactlyAsync(bytes, context.RequestAborted);
        }

        var stored = await images.StoreAsync(context.Caller().Tenant, bytes, "file", context.RequestAborted);
        await (stored.IsFailure(out var failure, out var taken)
            ? ErrorWriter.WriteAsync(context, failure)
            : WriteAsync(context, Prefix + taken.Id.Value, bytes.Length, taken.Header));
    }

    private async Task<Stream?> OpenAsync(HttpContext context, string id) =>
        TryParse(id, out var image)
            ? await store.OpenAsync(context.Caller().Tenant, image.Value.Object, context.RequestAborted)
            : null;

    private Task WriteAsync(HttpContext context, string id, long length, ImageHeader? header)
    {
        var body = new JsonObject
        {
            ["id"] = id,
            ["object"] = "file",
            ["bytes"] = length,
            ["created_at"] = time.GetUtcNow().ToUnixTimeSeconds(),
            ["filename"] = id,
            ["purpose"] = "vision",
            ["status"] = "processed",
        };
        if (header is not null)
        {
            (body["width"], body["height"]) = (header.Width, header.Height);
        }

        return context.Response.WriteAsJsonAsync(body, Json.Options, context.RequestAborted);
    }
}

using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Http.Forms;
using LlavaCluster.Gateway.Images;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Pictures;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Objects;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Files;

/// <summary>
/// POST /v1/files. A picture is read into memory and looked at; what trains is streamed. Where the purpose comes after the file, as some clients send it, the file's first bytes say
/// what it will be.
/// </summary>
internal sealed class FileUploads(FormUpload forms, ImageIntake images, TrainingFileIntake training, IFileStore files, UploadsUnderWay underWay, NamedObjects intact, GatewayOptions options, TimeProvider time)
{
    private const int MostName = 255;

    public async Task TakeAsync(HttpContext context)
    {
        // Who may only bring pictures brings no more than fits memory.
        BodyReader.LimitBody(context, context.Caller().MayTrain ? options.Training.MaxFileBytes + FormUpload.Beside : options.MaxBodyBytes);
        var tenant = context.Caller().Tenant;
        Taken? taken = null;
        var isNamed = false;
        underWay.Enter(tenant);
        try
        {
            var fields = await forms.ReadAsync(context, async file => (taken = await TakeAsync(context, file)) is not null);
            isNamed = fields is not null && await NameAsync(context, fields, taken);
        }
        finally
        {
            // Leaves nothing of an upload that came to nothing, its client gone or not, but what was there before. Pictures may be those of chats.
            await underWay.LeaveAsync(tenant, !isNamed && taken is { Picture: null } ? taken.File.Id : null, async id => await files.FindAsync(tenant, id, CancellationToken.None) is not null);
        }
    }

    /// <summary>Makes what came a file; false where an error was written.</summary>
    private async Task<bool> NameAsync(HttpContext context, IReadOnlyDictionary<string, string> fields, Taken? taken)
    {
        var failure = Purpose(fields, out var purpose);
        if (failure is null && taken is null)
        {
            failure = Refusal("file", "is required.");
        }
        else if (failure is null && purpose != taken!.File.Purpose)
        {
            failure = purpose == FilePurposes.Vision ? Refusal("file", "must be a PNG, JPEG, WebP, GIF or BMP file.") : Refusal("file", "must be a JSON array, JSON lines or a zip; it is a picture.");
        }

        // What is begun is written, whoever stops waiting for it: what has a name is not dropped.
        failure ??= await files.PutAsync(context.Caller().Tenant, taken!.File, CancellationToken.None) is { } fault ? TenantStorage.Refused(fault, "the file", "file") : null;
        failure ??= await intact.RefusalAsync(context.Caller().Tenant, taken!.File.Id, "the file", "file");
        if (failure is not null)
        {
            await ErrorWriter.WriteAsync(context, failure);
            return false;
        }

        // One that was there before keeps its age.
        var kept = await files.FindAsync(context.Caller().Tenant, taken!.File.Id, context.RequestAborted) ?? taken.File;
        await context.Response.WriteAsJsonAsync(FileJson.Of(kept, taken.Picture), Json.Options, context.RequestAborted);
        return true;
    }

    private static ChatFailure Refusal(string field, string rule) => new(ChatFailureKind.InvalidRequest, $"{field} {rule}", field);

    private static ChatFailure? Purpose(IReadOnlyDictionary<string, string> fields, out string purpose)
    {
        var given = fields.GetValueOrDefault("purpose", "");
        purpose = given is "" or "user_data" ? FilePurposes.Vision : given;
        return purpose is FilePurposes.Vision or FilePurposes.FineTune ? null : Refusal("purpose", $"must be vision or fine-tune; was \"{Excerpt.Of(given, 20)}\".");
    }

    /// <summary>Null where an error was written.</summary>
    private async Task<Taken?> TakeAsync(HttpContext context, UploadedFile file)
    {
        var isKnown = file.Fields.ContainsKey("purpose");
        if (Purpose(file.Fields, out var purpose) is { } failure)
        {
            await ErrorWriter.WriteAsync(context, failure);
            return null;
        }

        if (!isKnown && context.Caller().MayTrain && TrainingFileHead.KindOf(await file.PeekAsync(TrainingFileHead.Length, context.RequestAborted)) is not null)
        {
            purpose = FilePurposes.FineTune;
        }

        if (purpose == FilePurposes.FineTune && !context.Caller().MayTrain)
        {
            await ErrorWriter.WriteAsync(context, AccessRefusal.MissingScope(Scopes.Train));
            return null;
        }

        return purpose == FilePurposes.FineTune ? await StreamAsync(context, file) : await PictureAsync(context, file);
    }

    private async Task<Taken?> StreamAsync(HttpContext context, UploadedFile file)
    {
        var stored = await training.TakeAsync(context.Caller().Tenant, file, options.Training.MaxFileBytes, context.RequestAborted);
        if (stored.IsFailure(out var failure, out var made))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return null;
        }

        return new Taken(Named(made.Id, file, FilePurposes.FineTune, made.Bytes), null);
    }

    private async Task<Taken?> PictureAsync(HttpContext context, UploadedFile file)
    {
        if (context.Request.ContentLength > options.MaxBodyBytes)
        {
            await BodyReader.WriteTooLargeAsync(context, options.MaxBodyBytes);
            return null;
        }

        using var content = new MemoryStream();
        // Beyond its bound a picture is only counted.
        var buffer = new byte[1 << 16];
        await using var body = file.Content.AsStream(leaveOpen: true);
        var length = 0L;
        while (await body.ReadAsync(buffer, context.RequestAborted) is > 0 and var read)
        {
            length += read;
            if (length > options.MaxBodyBytes)
            {
                await BodyReader.WriteTooLargeAsync(context, options.MaxBodyBytes);
                return null;
            }

            content.Write(buffer, 0, length <= options.Images.File.MaxBytes ? read : 0);
        }

        var stored = length > options.Images.File.MaxBytes
            ? Refusal("file", $"must be at most {options.Images.File.MaxBytes} bytes; was {length}.")
            : await images.StoreAsync(context.Caller().Tenant, content.GetBuffer().AsMemory(0, (int)content.Length), "file", context.RequestAborted);
        if (stored.IsFailure(out var failure, out var picture))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return null;
        }

        return new Taken(Named(picture.Id.Object, file, FilePurposes.Vision, length), picture.Header);
    }

    private StoredFile Named(ObjectId id, UploadedFile file, string purpose, long bytes)
    {
        var checks = new FieldChecks();
        checks.WellFormed("filename", file.Name);
        var isName = file.Name.Length is > 0 and <= MostName && checks.Failure is null;
        return new StoredFile(id, isName ? file.Name : FileId.Of(id), purpose, bytes, time.GetUtcNow());
    }

    private sealed record Taken(StoredFile File, ImageHeader? Picture);
}

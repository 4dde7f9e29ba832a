using System.IO.Pipelines;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace LlavaCluster.Gateway.Http.Forms;

/// <summary>
/// Reads a multipart/form-data body part by part, as it arrives: short fields are kept, the part <c>file</c> is handed on as a stream. Fields come before the file or after it, as
/// the client likes.
/// </summary>
internal sealed class FormUpload(BodyReader bodies)
{
    /// <summary>What a form may have beside its file, in bytes.</summary>
    public const int Beside = 1 << 20;

    private const int MostFields = 32;
    private const int MostFieldBytes = 16 << 10;
    private const string FileField = "file";

    /// <param name="take">Called once with the file and the fields before it; false where it has written an error.</param>
    /// <returns>All fields; null where an error was written.</returns>
    public async Task<IReadOnlyDictionary<string, string>?> ReadAsync(HttpContext context, Func<UploadedFile, Task<bool>> take)
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            await ErrorWriter.WriteAsync(context, StatusCodes.Status415UnsupportedMediaType, "unsupported_content_type", "Content-Type must be multipart/form-data.");
            return null;
        }

        try
        {
            return HeaderUtilities.RemoveQuotes(type.Boundary) is { Length: > 0 } boundary
                ? await ReadAsync(context, new MultipartReader(boundary.ToString(), context.Request.Body), take)
                : throw new InvalidDataException("There is no boundary.");
        }
        catch (BadHttpRequestException exception)
        {
            await bodies.WriteBadRequestAsync(context, exception);
            return null;
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException)
        {
            // A body without its end is an IOException.
            await ErrorWriter.WriteAsync(context, StatusCodes.Status400BadRequest, "bad_request", "The body must be well-formed multipart/form-data.");
            return null;
        }
    }

    private static async Task<IReadOnlyDictionary<string, string>?> ReadAsync(HttpContext context, MultipartReader parts, Func<UploadedFile, Task<bool>> take)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        var taken = false;
        for (var count = 0; await parts.ReadNextSectionAsync(context.RequestAborted) is { } part; count++)
        {
            if (part.GetContentDispositionHeader() is not { } disposition)
            {
                throw new InvalidDataException("A part has no name.");
            }

            if (count >= MostFields)
            {
                return await RefuseAsync(context, "body", $"must have at most {MostFields} parts.");
            }

            if (!disposition.IsFileDisposition())
            {
                var name = HeaderUtilities.RemoveQuotes(disposition.Name).ToString();
                if (await TextAsync(part.Body, context.RequestAborted) is not { } text)
                {
                    return await RefuseAsync(context, Requests.Excerpt.Of(name, 40), $"must be UTF-8 of at most {MostFieldBytes} bytes.");
                }

                fields[name] = text;
            }
            else if (HeaderUtilities.RemoveQuotes(disposition.Name) == FileField)
            {
                if (taken)
                {
                    return await RefuseAsync(context, FileField, "must be one file; there are more.");
                }

                taken = true;
                if (!await TakeAsync(disposition, part.Body, fields, take))
                {
                    return null;
                }
            }
        }

        return fields;
    }

    private static async Task<bool> TakeAsync(ContentDispositionHeaderValue disposition, Stream body, Dictionary<string, string> fields, Func<UploadedFile, Task<bool>> take)
    {
        var name = disposition.FileNameStar is { Length: > 0 } star ? star : HeaderUtilities.RemoveQuotes(disposition.FileName);
        var content = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: 1 << 16, leaveOpen: true));
        var isTaken = await take(new UploadedFile(name.ToString(), content, fields));
        await content.CompleteAsync();
        return isTaken;
    }

    private static async Task<string?> TextAsync(Stream body, CancellationToken cancellationToken)
    {
        var bytes = new byte[MostFieldBytes + 1];
        var length = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        try
        {
            return length > MostFieldBytes ? null : new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes, 0, length);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static async Task<IReadOnlyDictionary<string, string>?> RefuseAsync(HttpContext context, string field, string rule)
    {
        await ErrorWriter.WriteAsync(context, new ChatFailure(ChatFailureKind.InvalidRequest, $"{field} {rule}", field));
        return null;
    }
}

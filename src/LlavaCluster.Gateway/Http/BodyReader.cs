using System.Text.Json;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlavaCluster.Gateway.Http;

/// <summary>Reads a JSON body under the gateway's bounds, or writes the error.</summary>
internal sealed class BodyReader(GatewayOptions options)
{
    /// <returns>The parsed body, which the caller disposes; null if the error was written.</returns>
    public async Task<JsonDocument?> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType())
        {
            await ErrorWriter.WriteAsync(
                context, StatusCodes.Status415UnsupportedMediaType, "unsupported_content_type", $"Content-Type must be application/json; was \"{Excerpt.Of(context.Request.ContentType ?? "", 60)}\".");
            return null;
        }

        LimitBody(context);
        try
        {
            return await JsonDocument.ParseAsync(context.Request.Body, new JsonDocumentOptions { MaxDepth = options.Chat.MaxJsonDepth }, context.RequestAborted);
        }
        catch (JsonException exception)
        {
            // The reader's own text may quote the body.
            await ErrorWriter.WriteAsync(
                context,
                StatusCodes.Status400BadRequest,
                "invalid_json",
                $"The body must be JSON of at most {options.Chat.MaxJsonDepth} levels; it is not, at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine}.");
        }
        catch (BadHttpRequestException exception)
        {
            await WriteBadRequestAsync(context, exception);
        }

        return null;
    }

    public void LimitBody(HttpContext context) => LimitBody(context, options.MaxBodyBytes);

    /// <param name="bytes">Beyond the usual bound, for a body that is not kept in memory.</param>
    public static void LimitBody(HttpContext context, long bytes)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
        {
            feature.MaxRequestBodySize = bytes;
        }
    }

    public Task WriteBadRequestAsync(HttpContext context, BadHttpRequestException exception) =>
        exception.StatusCode == StatusCodes.Status413PayloadTooLarge
            ? WriteTooLargeAsync(context, context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? options.MaxBodyBytes)
            : ErrorWriter.WriteAsync(context, exception.StatusCode, "bad_request", "The body could not be read.");

    public static Task WriteTooLargeAsync(HttpContext context, long mostBytes) => ErrorWriter.WriteAsync(
        context, StatusCodes.Status413PayloadTooLarge, "request_too_large", $"The body must be at most {mostBytes} bytes; was {context.Request.ContentLength?.ToString() ?? "more"}.");
}

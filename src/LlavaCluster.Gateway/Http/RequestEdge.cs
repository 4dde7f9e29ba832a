using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Http;

/// <summary>The outermost step of every request: what nobody handled becomes an error object and a log line without the request's content.</summary>
internal sealed partial class RequestEdge(RequestDelegate next, ILogger<RequestEdge> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.Headers["x-request-id"] = context.TraceIdentifier;
        context.Response.Headers.XContentTypeOptions = "nosniff";
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response.StatusCode is StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed)
            {
                await WriteNoRouteAsync(context);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client left; there is nobody to tell.
        }
        catch (Exception exception)
        {
            LogUnhandled(logger, context.Request.Method, context.GetEndpoint()?.DisplayName, exception);
            if (!context.Response.HasStarted)
            {
                context.Response.Clear();
                await ErrorWriter.WriteAsync(context, new ChatFailure(ChatFailureKind.Internal, "The server failed; its log has the reason under this response's x-request-id."));
            }
            else
            {
                context.Abort();
            }
        }
    }

    private static Task WriteNoRouteAsync(HttpContext context)
    {
        var missing = context.Response.StatusCode == StatusCodes.Status404NotFound;
        return context.Response.ContentLength is null && context.Response.ContentType is null && context.GetEndpoint() is null or { DisplayName: "405 HTTP Method Not Supported" }
            ? ErrorWriter.WriteAsync(context, context.Response.StatusCode, missing ? "unknown_url" : "method_not_allowed", missing ? "There is nothing at this URL." : "This URL does not take this method.")
            : Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Error, "{Method} {Endpoint} failed")]
    private static partial void LogUnhandled(ILogger logger, string method, string? endpoint, Exception exception);
}

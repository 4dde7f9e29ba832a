using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Http;

/// <summary>The outermost step of every request: what nobody handled becomes an error object and a log line without the request's content.</summary>
internal sealed partial class RequestEdge(RequestDelegate next, GatewayOptions options, ILogger<RequestEdge> logger)
{
    private const int GrpcFrameHeader = 5;

    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.Headers["x-request-id"] = context.TraceIdentifier;
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true
            && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            // The server's own limit is below what a gRPC message may have, and breaks the call without a status.
            size.MaxRequestBodySize = options.MaxBodyBytes + GrpcFrameHeader + 1L;
        }

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
        var refusal = context.Response.StatusCode == StatusCodes.Status404NotFound ? AccessRefusal.NoRoute : AccessRefusal.NoMethod;
        return context.Response.ContentLength is null && context.Response.ContentType is null && context.GetEndpoint() is null or { DisplayName: "405 HTTP Method Not Supported" }
            ? ErrorWriter.WriteAsync(context, refusal)
            : Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Error, "{Method} {Endpoint} failed")]
    private static partial void LogUnhandled(ILogger logger, string method, string? endpoint, Exception exception);
}

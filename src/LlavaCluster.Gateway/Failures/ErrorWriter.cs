using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Http;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Failures;

/// <summary>Writes a failure in the protocol of the request: OpenAI's error object, or a gRPC status with an ErrorDetail.</summary>
internal static class ErrorWriter
{
    public const string GrpcDetailTrailer = "llava-error-bin";

    public static Task WriteAsync(HttpContext context, ChatFailure failure)
    {
        SetRetryAfter(context, FailureTable.RetryAfterSeconds(failure));
        if (FailureTable.IsFinal(failure))
        {
            context.Response.Headers["x-should-retry"] = "false";
        }

        return WriteJsonAsync(context, FailureTable.Of(failure.Kind).Http, BodyOf(failure));
    }

    public static Task WriteAsync(HttpContext context, AccessRefusal refusal)
    {
        SetRetryAfter(context, refusal.RetryAfterSeconds);
        if (refusal.Http == StatusCodes.Status401Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
        }

        return context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true
            ? WriteGrpcAsync(context, refusal)
            : WriteJsonAsync(context, refusal.Http, new ErrorBody(new ErrorObject(refusal.Message, refusal.Type, null, refusal.Code)));
    }

    /// <summary>A failure of HTTP itself (a body too large, a wrong content type), which no chat failure stands for.</summary>
    public static Task WriteAsync(HttpContext context, int status, string code, string message) =>
        WriteJsonAsync(context, status, new ErrorBody(new ErrorObject(message, "invalid_request_error", null, code)));

    public static ErrorBody BodyOf(ChatFailure failure)
    {
        var row = FailureTable.Of(failure.Kind);
        return new ErrorBody(new ErrorObject(failure.Message, row.Type, failure.Field, row.Code));
    }

    public static RpcException Rpc(ChatFailure failure)
    {
        var row = FailureTable.Of(failure.Kind);
        return new RpcException(new Status(row.Grpc, failure.Message), [new Metadata.Entry(GrpcDetailTrailer, DetailOf(failure).ToByteArray())]);
    }

    public static ErrorDetail DetailOf(ChatFailure failure) => new()
    {
        Code = FailureTable.Of(failure.Kind).Code,
        Message = failure.Message,
        Field = failure.Field ?? "",
        RetryAfterSeconds = FailureTable.RetryAfterSeconds(failure) ?? 0,
    };

    private static void SetRetryAfter(HttpContext context, int? seconds)
    {
        if (seconds is { } wait)
        {
            context.Response.Headers.RetryAfter = wait.ToString(CultureInfo.InvariantCulture);
        }
    }

    private static Task WriteJsonAsync(HttpContext context, int status, ErrorBody body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        return JsonSerializer.SerializeAsync(context.Response.Body, body, Json.Options, context.RequestAborted);
    }

    /// <summary>A trailers-only response: gRPC sends a status that precedes any message in the headers.</summary>
    private static Task WriteGrpcAsync(HttpContext context, AccessRefusal refusal)
    {
        var detail = new ErrorDetail { Code = refusal.Code, Message = refusal.Message, RetryAfterSeconds = refusal.RetryAfterSeconds ?? 0 };
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = ((int)refusal.Grpc).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["grpc-message"] = Uri.EscapeDataString(refusal.Message);
        context.Response.Headers[GrpcDetailTrailer] = Convert.ToBase64String(detail.ToByteArray()).TrimEnd('=');
        return context.Response.CompleteAsync();
    }
}

/// <summary>OpenAI's error JSON.</summary>
internal sealed record ErrorBody(ErrorObject Error);

internal sealed record ErrorObject(string Message, string Type, string? Param, string? Code);

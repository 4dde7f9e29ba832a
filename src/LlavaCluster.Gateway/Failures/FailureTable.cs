using Grpc.Core;
using LlavaCluster.Abstractions.Chat;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Failures;

/// <summary>The one table from a failure's kind to what a client sees of it.</summary>
internal static class FailureTable
{
    /// <param name="Http">The HTTP status.</param>
    /// <param name="Grpc">The gRPC status.</param>
    /// <param name="Type">OpenAI's <c>error.type</c>.</param>
    /// <param name="Code">OpenAI's <c>error.code</c>, also in gRPC's ErrorDetail.</param>
    internal readonly record struct Row(int Http, StatusCode Grpc, string Type, string Code);

    public static Row Of(ChatFailureKind kind) => kind switch
    {
        ChatFailureKind.InvalidRequest => new(StatusCodes.Status400BadRequest, StatusCode.InvalidArgument, "invalid_request_error", "invalid_request"),
        ChatFailureKind.NotFound => new(StatusCodes.Status404NotFound, StatusCode.NotFound, "invalid_request_error", "not_found"),
        ChatFailureKind.Conflict => new(StatusCodes.Status409Conflict, StatusCode.AlreadyExists, "invalid_request_error", "conflict"),
        ChatFailureKind.ModelNotFound => new(StatusCodes.Status404NotFound, StatusCode.NotFound, "invalid_request_error", "model_not_found"),
        ChatFailureKind.ContextExceeded => new(StatusCodes.Status400BadRequest, StatusCode.OutOfRange, "invalid_request_error", "context_length_exceeded"),
        ChatFailureKind.QuotaExceeded => new(StatusCodes.Status429TooManyRequests, StatusCode.ResourceExhausted, "rate_limit_error", "rate_limit_exceeded"),
        ChatFailureKind.Overloaded => new(StatusCodes.Status503ServiceUnavailable, StatusCode.ResourceExhausted, "server_error", "overloaded"),
        ChatFailureKind.ModelUnavailable => new(StatusCodes.Status503ServiceUnavailable, StatusCode.Unavailable, "server_error", "model_unavailable"),
        ChatFailureKind.DeadlineExceeded => new(StatusCodes.Status504GatewayTimeout, StatusCode.DeadlineExceeded, "server_error", "deadline_exceeded"),
        ChatFailureKind.Cancelled => new(499, StatusCode.Cancelled, "invalid_request_error", "cancelled"),
        ChatFailureKind.StorageFull => new(StatusCodes.Status507InsufficientStorage, StatusCode.Unavailable, "server_error", "storage_full"),
        ChatFailureKind.Internal => new(StatusCodes.Status500InternalServerError, StatusCode.Internal, "server_error", "internal_error"),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A failure kind without a row in the table."),
    };

    /// <summary>Whether OpenAI's clients, which repeat whatever has status 409, 429 or 5xx, would only hear the same again.</summary>
    public static bool IsFinal(ChatFailure failure) => failure is { Kind: ChatFailureKind.Conflict or ChatFailureKind.StorageFull } or { Kind: ChatFailureKind.QuotaExceeded, RetryAfter: null };

    /// <summary>Whole seconds for Retry-After, at least 1; null where trying again makes no difference or nobody can say.</summary>
    public static int? RetryAfterSeconds(ChatFailure failure) => failure.Kind switch
    {
        _ when failure.RetryAfter is { } wait => Math.Max(1, (int)Math.Ceiling(Math.Min(wait.TotalSeconds, TimeSpan.FromDays(1).TotalSeconds))),
        // A quota that no wait satisfies comes without one.
        ChatFailureKind.Overloaded or ChatFailureKind.ModelUnavailable => 1,
        _ => null,
    };
}

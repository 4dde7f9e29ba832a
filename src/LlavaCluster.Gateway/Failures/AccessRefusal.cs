using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Failures;

/// <summary>Why a request was turned away before any endpoint looked at it; the rows of the failure table that have no chat failure.</summary>
internal sealed record AccessRefusal(int Http, StatusCode Grpc, string Type, string Code, string Message)
{
    /// <summary>For Retry-After; null where trying again makes no difference.</summary>
    public int? RetryAfterSeconds => Http == StatusCodes.Status503ServiceUnavailable ? 1 : null;

    public static AccessRefusal NoKey { get; } = new(
        StatusCodes.Status401Unauthorized, StatusCode.Unauthenticated, "invalid_request_error", "missing_api_key", "An API key is required: send the header \"Authorization: Bearer llava-...\".");

    public static AccessRefusal WrongKey { get; } = new(
        StatusCodes.Status401Unauthorized, StatusCode.Unauthenticated, "invalid_request_error", "invalid_api_key", "The API key is not valid.");

    public static AccessRefusal Starting { get; } = new(
        StatusCodes.Status503ServiceUnavailable, StatusCode.Unavailable, "server_error", "starting", "The server is starting.");

    public static AccessRefusal TenantUnreachable { get; } = new(
        StatusCodes.Status503ServiceUnavailable, StatusCode.Unavailable, "server_error", "tenant_unreachable", "The API key cannot be checked now: its tenant cannot be reached.");

    public static AccessRefusal BeingErased { get; } = new(
        StatusCodes.Status503ServiceUnavailable, StatusCode.Unavailable, "server_error", "tenant_erased", "The tenant is being erased.");

    public static AccessRefusal NoRoute { get; } = new(
        StatusCodes.Status404NotFound, StatusCode.Unimplemented, "invalid_request_error", "unknown_url", "There is nothing at this URL.");

    public static AccessRefusal NoMethod { get; } = new(
        StatusCodes.Status405MethodNotAllowed, StatusCode.Unimplemented, "invalid_request_error", "method_not_allowed", "This URL does not take this method.");

    public static AccessRefusal MissingScope(string scope) => new(
        StatusCodes.Status403Forbidden, StatusCode.PermissionDenied, "invalid_request_error", "insufficient_scope", $"The API key needs the scope \"{scope}\".");

    public static AccessRefusal ForeignPage(string reason) => new(
        StatusCodes.Status403Forbidden, StatusCode.PermissionDenied, "invalid_request_error", "foreign_origin", reason);
}

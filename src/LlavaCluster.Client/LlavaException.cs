using Google.Protobuf;
using Grpc.Core;
using Llava.V1;

namespace LlavaCluster.Client;

/// <summary>A call that the server refused or could not finish, with what its error detail says.</summary>
public sealed class LlavaException : Exception
{
    private const string DetailTrailer = "llava-error-bin";

    private LlavaException(RpcException cause, ErrorDetail? detail)
        : base(detail?.Message ?? cause.Status.Detail, cause)
    {
        Status = cause.StatusCode;
        Code = detail?.Code ?? "connection_lost";
        Field = detail is { Field.Length: > 0 } ? detail.Field : null;
        RetryAfter = detail is { RetryAfterSeconds: > 0 } ? TimeSpan.FromSeconds(detail.RetryAfterSeconds) : null;
    }

    public StatusCode Status { get; }

    /// <summary>The kind of failure, as in HTTP's error.code: "invalid_request", "rate_limit_exceeded"...; "connection_lost" where no server answered.</summary>
    public string Code { get; }

    /// <summary>The request field that is wrong; null if none is.</summary>
    public string? Field { get; }

    /// <summary>When to try again; null where it makes no difference.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>The exception that stands for a failed call of the generated clients.</summary>
    public static LlavaException From(RpcException fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        return new LlavaException(fault, DetailOf(fault));
    }

    internal static ErrorDetail? DetailOf(RpcException fault)
    {
        try
        {
            return fault.Trailers.GetValueBytes(DetailTrailer) is { } bytes ? ErrorDetail.Parser.ParseFrom(bytes) : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}

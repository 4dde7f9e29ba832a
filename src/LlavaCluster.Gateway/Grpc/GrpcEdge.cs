using Grpc.Core;
using Grpc.Core.Interceptors;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>The outermost step of every gRPC call: what nobody handled becomes INTERNAL and a log line without the call's content.</summary>
internal sealed partial class GrpcEdge(ILogger<GrpcEdge> logger) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Translate(exception, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Translate(exception, context);
        }
    }

    private RpcException Translate(Exception exception, ServerCallContext context)
    {
        if (context.CancellationToken.IsCancellationRequested)
        {
            return ErrorWriter.Rpc(new ChatFailure(ChatFailureKind.Cancelled, "The call was cancelled."));
        }

        LogUnhandled(logger, context.Method, exception);
        return ErrorWriter.Rpc(new ChatFailure(ChatFailureKind.Internal, "The server failed; its log has the reason."));
    }

    [LoggerMessage(LogLevel.Error, "{Method} failed")]
    private static partial void LogUnhandled(ILogger logger, string method, Exception exception);
}

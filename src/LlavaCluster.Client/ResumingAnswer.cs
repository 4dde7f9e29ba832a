using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Grpc.Core;
using Llava.V1;

namespace LlavaCluster.Client;

/// <summary>
/// The events of one answer, whatever happens to the connection: sending the same turn id again begins nothing anew, and the stream goes on after the
/// last sequence number seen. Leaving before the end stops the answer on the server.
/// </summary>
internal sealed class ResumingAnswer(Chat.ChatClient chat, LlavaChatOptions options)
{
    private static readonly TimeSpan CancelPatience = TimeSpan.FromSeconds(5);

    public async IAsyncEnumerable<TurnEvent> ReadAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var completed = false;
        var heard = false;
        long? lostAt = null;
        try
        {
            while (!completed)
            {
                using var call = chat.Generate(request, cancellationToken: cancellationToken);
                while (await NextAsync(call, MayResume, cancellationToken).ConfigureAwait(false) is { } step)
                {
                    (heard, lostAt, request.ResumeFrom, completed) = (true, null, step.Sequence, step.Completed);
                    yield return step;
                }

                if (!completed)
                {
                    await Task.Delay(options.Pause, options.Time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            if (!completed)
            {
                await StopAsync(request.TurnId).ConfigureAwait(false);
            }
        }

        // A first attempt that reaches no server is a wrong address more often than a restart: it fails at once.
        bool MayResume(RpcException fault)
        {
            lostAt ??= options.Time.GetTimestamp();
            return (heard || !NeverReached(fault)) && options.Time.GetElapsedTime(lostAt.Value) < options.Patience;
        }
    }

    /// <summary>The next event; null if the stream ended or its connection was lost.</summary>
    private static async Task<TurnEvent?> NextAsync(AsyncServerStreamingCall<TurnEvent> call, Func<RpcException, bool> mayResume, CancellationToken cancellationToken)
    {
        try
        {
            return await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false) ? call.ResponseStream.Current : null;
        }
        catch (RpcException fault) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("The answer was cancelled.", fault, cancellationToken);
        }
        catch (RpcException fault) when (IsLoss(fault) && mayResume(fault))
        {
            return null;
        }
        catch (RpcException fault)
        {
            throw LlavaException.From(fault);
        }
    }

    /// <summary>A status that no server of ours wrote, or one that a server writes while it or the key's tenant comes back.</summary>
    private static bool IsLoss(RpcException fault) => LlavaException.DetailOf(fault) is { } detail
        ? detail.Code is "starting" or "tenant_unreachable"
        : fault.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.Cancelled;

    private static bool NeverReached(RpcException fault) =>
        fault.Status.DebugException is SocketException or HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError };

    /// <summary>Ends an answer that nobody reads on; where the server cannot be reached, the answer's token bound ends it.</summary>
    private async Task StopAsync(string turn)
    {
        try
        {
            using var patience = new CancellationTokenSource(CancelPatience, options.Time);
            await chat.CancelAsync(new CancelRequest { TurnId = turn }, cancellationToken: patience.Token).ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException)
        {
            // The reader has left already: there is nobody to tell.
        }
    }
}

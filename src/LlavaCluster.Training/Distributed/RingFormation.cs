using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace LlavaCluster.Training.Distributed;

/// <summary>Makes a member's two connections: to its next, again and again until that one awaits it, and from its previous.</summary>
internal static class RingFormation
{
    private static readonly TimeSpan PauseBetweenAttempts = TimeSpan.FromMilliseconds(50);

    /// <exception cref="RingBrokenException">A neighbour did not come in time.</exception>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    public static async Task<(RingConnection Next, RingConnection Previous)> ConnectAsync(
        RingListener listener, RingMembership member, TimeSpan deadline, CancellationToken cancellationToken)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(deadline);
        using var expectation = listener.Expect(member);
        var attempts = new Attempts();
        var reaching = ReachAsync(listener.Options, member, attempts, late.Token);
        try
        {
            await Task.WhenAll(reaching, expectation.Arrived.WaitAsync(late.Token)).ConfigureAwait(false);
            return (await reaching.ConfigureAwait(false), expectation.Take());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Abandon(reaching);
            throw reaching.IsCompletedSuccessfully
                ? new RingBrokenException(member.Previous, RingFault.Unformed, $"Rank {member.Previous} did not connect within {deadline.TotalSeconds} s.")
                : new RingBrokenException(member.Next, RingFault.Unformed, $"Rank {member.Next} at {member.Members[member.Next]} did not admit us within {deadline.TotalSeconds} s: {attempts.LastFault}");
        }
        catch
        {
            Abandon(reaching);
            throw;
        }
    }

    private static void Abandon(Task<RingConnection> reaching)
    {
        if (reaching.IsCompletedSuccessfully)
        {
            reaching.Result.Dispose();
        }
    }

    private static async Task<RingConnection> ReachAsync(RingOptions options, RingMembership member, Attempts attempts, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            late.CancelAfter(options.HandshakeTimeout);
            try
            {
                return await AttemptAsync(options, member, late.Token).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is IOException or SocketException or AuthenticationException
                || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                attempts.LastFault = fault.Message;
            }

            await Task.Delay(PauseBetweenAttempts, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<RingConnection> AttemptAsync(RingOptions options, RingMembership member, CancellationToken cancellationToken)
    {
        var endPoint = member.Members[member.Next];
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
            var plain = new RingSocket(socket);
            stream = plain;
            if (options.Tls is { } tls)
            {
                var secured = new SslStream(plain);
                stream = secured;
                await secured.AuthenticateAsClientAsync(tls.Client, cancellationToken).ConfigureAwait(false);
            }

            var seed = await RingHandshake.IntroduceAsync(stream, member, cancellationToken).ConfigureAwait(false);
            return new RingConnection(plain, stream, member.Next, seed);
        }
        catch
        {
            stream?.Dispose();
            socket.Dispose();
            throw;
        }
    }

    /// <summary>What the latest attempt failed of, for whoever explains why there was no success.</summary>
    private sealed class Attempts
    {
        public string LastFault { get; set; } = "it was never reached";
    }
}

using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// The port on which a member is found, open before its group is known. It admits those who are awaited and prove the group's secret; whoever else connects is dropped, and
/// neither a forming nor a running group notices. One listener serves any number of groups, one after the other or at once. Members may be called from any thread.
/// </summary>
public sealed class RingListener : IAsyncDisposable
{
    private const int Backlog = 64;
    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly List<RingExpectation> _expectations = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _socket;
    private readonly Task _accepting;
    private long _refused;

    private RingListener(Socket socket, RingOptions options)
    {
        _socket = socket;
        Options = options;
        EndPoint = (IPEndPoint)socket.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens, with the port that the system chose if 0 was asked for.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Connections that were dropped without having been admitted.</summary>
    internal long Refused => Volatile.Read(ref _refused);

    internal RingOptions Options { get; }

    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public static RingListener Start(IPEndPoint address, RingOptions options)
    {
        options.Validate();
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(Backlog);
            return new RingListener(socket, options);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        await _accepting.ConfigureAwait(false);
        _stop.Dispose();
    }

    internal RingExpectation Expect(RingMembership member)
    {
        var expectation = new RingExpectation(member, Withdraw);
        lock (_gate)
        {
            _expectations.Add(expectation);
        }

        return expectation;
    }

    private void Withdraw(RingExpectation expectation)
    {
        lock (_gate)
        {
            _expectations.Remove(expectation);
        }
    }

    private RingExpectation? Find(RingHello hello)
    {
        lock (_gate)
        {
            return _expectations.Find(expectation => hello.IsFor(expectation.Member));
        }
    }

    private async Task AcceptAsync()
    {
        var pending = new Queue<PendingConnection>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var socket = await _socket.AcceptAsync(_stop.Token).ConfigureAwait(false);
                if (pending.Count == Options.MostPending)
                {
                    await pending.Dequeue().EndAsync().ConfigureAwait(false);
                }

                pending.Enqueue(new PendingConnection(token => AdmitAsync(socket, token), Options.HandshakeTimeout));
            }
            catch (SocketException) when (!_stop.IsCancellationRequested)
            {
                // A connection that was gone before it was accepted, or too many open files.
                await Task.Delay(PauseAfterFault, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                break;
            }
        }

        while (pending.TryDequeue(out var connection))
        {
            await connection.EndAsync().ConfigureAwait(false);
        }
    }

    private async Task AdmitAsync(Socket socket, CancellationToken cancellationToken)
    {
        var admitted = false;
        Stream? stream = null;
        try
        {
            var plain = new RingSocket(socket);
            stream = plain;
            if (Options.Tls is { } tls)
            {
                var secured = new SslStream(plain);
                stream = secured;
                await secured.AuthenticateAsServerAsync(tls.Server, cancellationToken).ConfigureAwait(false);
            }

            if (await RingHandshake.ExamineAsync(stream, Find, cancellationToken).ConfigureAwait(false) is var (expectation, seed) && expectation.TryClaim())
            {
                admitted = await HandOverAsync(expectation, new RingConnection(plain, stream, expectation.Member.Previous, seed), stream, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception)
        {
            // Whatever a stranger makes fail is its own affair; a member tries again.
        }
        finally
        {
            if (!admitted)
            {
                Interlocked.Increment(ref _refused);
                stream?.Dispose();
                socket.Dispose();
            }
        }
    }

    private static async Task<bool> HandOverAsync(RingExpectation expectation, RingConnection connection, Stream stream, CancellationToken cancellationToken)
    {
        var admitted = false;
        try
        {
            await RingHandshake.AdmitAsync(stream, cancellationToken).ConfigureAwait(false);
            admitted = true;
        }
        finally
        {
            expectation.Settle(admitted ? connection : null);
        }

        return admitted;
    }

    /// <summary>A connection whose hands are being shaken, for a time at most.</summary>
    private sealed class PendingConnection
    {
        private readonly CancellationTokenSource _stop;
        private readonly Task _admission;

        public PendingConnection(Func<CancellationToken, Task> admit, TimeSpan time)
        {
            _stop = new CancellationTokenSource(time);
            _admission = admit(_stop.Token);
        }

        public async Task EndAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _admission.ConfigureAwait(false);
            _stop.Dispose();
        }
    }
}

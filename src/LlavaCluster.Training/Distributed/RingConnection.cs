using System.Net.Sockets;

namespace LlavaCluster.Training.Distributed;

/// <summary>An authenticated connection to a neighbour. Failures of the transport leave it as <see cref="RingBrokenException"/>. One reader and one writer at a time.</summary>
/// <param name="stream">The socket, or TLS over it.</param>
/// <param name="seed">Of this connection's checksums, so that a frame of another does not pass.</param>
internal sealed class RingConnection(RingSocket socket, Stream stream, int peer, ulong seed) : IDisposable
{
    public int Peer => peer;

    public ulong Seed => seed;

    /// <summary>How long the reads and writes from now on may take together; without it a read waits as long as the connection lives.</summary>
    public void LimitReads(TimeSpan time) => socket.LimitReads(time);

    public void LimitWrites(TimeSpan time) => socket.LimitWrites(time);

    public void Read(Span<byte> buffer)
    {
        try
        {
            stream.ReadExactly(buffer);
        }
        catch (Exception fault) when (fault is IOException or SocketException or ObjectDisposedException)
        {
            throw Translate(fault, "sent");
        }
    }

    public void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            stream.Write(buffer);
        }
        catch (Exception fault) when (fault is IOException or SocketException or ObjectDisposedException)
        {
            throw Translate(fault, "took");
        }
    }

    /// <summary>Both sides see the end of the connection; any thread.</summary>
    public void Shutdown() => socket.Shutdown();

    public void Dispose() => stream.Dispose();

    private RingBrokenException Translate(Exception fault, string verb) => fault.InnerException is TimeoutException
        ? new RingBrokenException(peer, RingFault.Silent, $"Rank {peer} {verb} nothing in time.", fault)
        : new RingBrokenException(peer, RingFault.Closed, $"The connection to rank {peer} is gone: {fault.Message}", fault);
}

using System.Net.Sockets;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// A connected socket as a stream: asynchronous while hands are shaken, synchronous afterwards. The socket itself never blocks: synchronous calls wait in poll, which has a
/// deadline, allocates nothing and wakes when <see cref="Shutdown"/> is called. One reader and one writer at a time. Owns the socket.
/// </summary>
internal sealed class RingSocket : Stream
{
    private readonly Socket _socket;
    private long _readUntil = long.MaxValue;
    private long _writeUntil = long.MaxValue;

    public RingSocket(Socket socket)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _socket.Blocking = false;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Synchronous reads from now on must have ended in this time; there is no bound until it is called.</summary>
    public void LimitReads(TimeSpan time) => _readUntil = Environment.TickCount64 + (long)time.TotalMilliseconds;

    /// <summary>As <see cref="LimitReads"/>, for writes.</summary>
    public void LimitWrites(TimeSpan time) => _writeUntil = Environment.TickCount64 + (long)time.TotalMilliseconds;

    /// <summary>Ends both directions once what was written has gone out; wakes whoever waits here. Any thread, any number of times.</summary>
    public void Shutdown()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The peer was faster.
        }
    }

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            var count = _socket.Receive(buffer, SocketFlags.None, out var error);
            if (error != SocketError.WouldBlock)
            {
                return error == SocketError.Success ? count : throw Failure(error);
            }

            Wait(SelectMode.SelectRead, _readUntil);
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var count = _socket.Send(buffer, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                Wait(SelectMode.SelectWrite, _writeUntil);
            }
            else if (error != SocketError.Success)
            {
                throw Failure(error);
            }

            buffer = buffer[count..];
        }
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            buffer = buffer[await _socket.SendAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false)..];
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _socket.Dispose();
        base.Dispose(disposing);
    }

    private void Wait(SelectMode mode, long until)
    {
        var left = until == long.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Max(0, until - Environment.TickCount64));
        if (!_socket.Poll(left, mode))
        {
            throw new IOException("Nothing came or went in time.", new TimeoutException());
        }
    }

    private static IOException Failure(SocketError error) => new(error.ToString(), new SocketException((int)error));
}

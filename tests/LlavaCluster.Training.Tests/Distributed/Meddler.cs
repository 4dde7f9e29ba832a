using System.Net;
using System.Net.Sockets;

namespace LlavaCluster.Training.Tests.Distributed;

/// <summary>Someone between a member and its listener, who passes bytes on until told to do worse.</summary>
internal sealed class Meddler : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private volatile int _flip = -1;
    private volatile int _left = int.MaxValue;
    private volatile bool _mute;

    public Meddler(IPEndPoint target)
    {
        _listener.Start();
        _running = RunAsync(target);
    }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>Of the bytes that come towards the listener from now on, inverts the one at this place.</summary>
    public void Flip(int at) => _flip = at;

    /// <summary>Passes so many more bytes towards the listener and then closes.</summary>
    public void CutAfter(int bytes) => _left = bytes;

    /// <summary>Passes nothing more and keeps the connection.</summary>
    public void Mute() => _mute = true;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _running;
        _stop.Dispose();
    }

    /// <summary>One connection after the other: a member that came too early comes again.</summary>
    private async Task RunAsync(IPEndPoint target)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var inner = await _listener.AcceptTcpClientAsync(_stop.Token);
                await JoinAsync(inner, target);
            }
            catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The end of either side, or of the test.
            }
        }
    }

    private async Task JoinAsync(TcpClient inner, IPEndPoint target)
    {
        using var outer = new TcpClient();
        await outer.ConnectAsync(target, _stop.Token);
        inner.NoDelay = outer.NoDelay = true;
        var forward = PassAsync(inner.GetStream(), outer.GetStream(), meddles: true);
        var back = PassAsync(outer.GetStream(), inner.GetStream(), meddles: false);
        await Task.WhenAny(forward, back);
        inner.Close();
        outer.Close();
        await Task.WhenAll(forward, back);
    }

    private async Task PassAsync(Stream from, Stream to, bool meddles)
    {
        var buffer = new byte[64 << 10];
        for (int count; (count = await from.ReadAsync(buffer, _stop.Token)) > 0;)
        {
            if (_mute)
            {
                continue;
            }

            var passed = meddles ? Meddle(buffer.AsSpan(0, count)) : count;
            await to.WriteAsync(buffer.AsMemory(0, passed), _stop.Token);
            if (passed < count)
            {
                return;
            }
        }
    }

    private int Meddle(Span<byte> bytes)
    {
        if (_flip >= 0)
        {
            if (_flip < bytes.Length)
            {
                bytes[_flip] ^= 0xFF;
            }

            _flip -= Math.Min(bytes.Length, _flip + 1);
        }

        if (_left == int.MaxValue)
        {
            return bytes.Length;
        }

        var passed = Math.Min(_left, bytes.Length);
        _left -= passed;
        return passed;
    }
}

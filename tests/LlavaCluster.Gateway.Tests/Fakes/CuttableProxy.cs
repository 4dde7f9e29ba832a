using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A loopback relay in front of a server whose connections a test can cut, as a broken network does.</summary>
internal sealed class CuttableProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly Uri _target;
    private readonly Task _accepting;

    public CuttableProxy(Uri target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Closes every connection; new ones are taken.</summary>
    public void Cut()
    {
        while (_sockets.TryTake(out var socket))
        {
            socket.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        Cut();
        await _accepting;
        Cut();
    }

    private async Task AcceptAsync()
    {
        var relays = new List<Task>();
        try
        {
            while (true)
            {
                var inner = await _listener.AcceptSocketAsync();
                var outer = new Socket(SocketType.Stream, ProtocolType.Tcp);
                _sockets.Add(inner);
                _sockets.Add(outer);
                await outer.ConnectAsync(_target.Host, _target.Port);
                relays.Add(RelayAsync(inner, outer));
                relays.Add(RelayAsync(outer, inner));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(relays);
        }
    }

    private static async Task RelayAsync(Socket from, Socket to)
    {
        var buffer = new byte[16_384];
        try
        {
            while (await from.ReceiveAsync(buffer) is var read and > 0)
            {
                await to.SendAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }
}

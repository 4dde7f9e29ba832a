using System.Net.Security;

namespace LlavaCluster.Training.Distributed;

/// <summary>How rings wait and whom they trust.</summary>
public sealed record RingOptions
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(30);

    /// <summary>How long a call waits for one frame (at most 256 KiB), 60 s. Members compute between calls, so it must exceed the time by which the slowest is behind the fastest.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>From a connection to the proof of the secret, 5 s.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Connections that have not proved anything yet, 16; one more drops the oldest, so that whoever connects and says nothing keeps nobody out.</summary>
    public int MostPending { get; init; } = 16;

    /// <summary>Mutual TLS between members; null for none. Without it, frames are guarded against accidents only, and readable on their way.</summary>
    public RingTls? Tls { get; init; }

    internal void Validate()
    {
        Within(OperationTimeout, nameof(OperationTimeout));
        Within(HandshakeTimeout, nameof(HandshakeTimeout));
        if (MostPending is < 1 or > 1024)
        {
            throw new ArgumentOutOfRangeException(nameof(MostPending), $"{nameof(MostPending)} must be from 1 to 1024; was {MostPending}.");
        }
    }

    private static void Within(TimeSpan wait, string name)
    {
        if (wait < TimeSpan.FromMilliseconds(1) || wait > LongestWait)
        {
            throw new ArgumentOutOfRangeException(name, $"{name} must be from 1 ms to {LongestWait.TotalMinutes} min; was {wait}.");
        }
    }
}

/// <summary>Both sides of mutual TLS, as the owner of the certificates sets them up: the server's must require a certificate, and both must verify the peer's.</summary>
public sealed record RingTls(SslServerAuthenticationOptions Server, SslClientAuthenticationOptions Client);

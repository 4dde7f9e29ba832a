namespace LlavaCluster.Training.Distributed;

/// <summary>The end of a ring: nothing more comes of this group.</summary>
public sealed class RingBrokenException : Exception
{
    public RingBrokenException(int peer, RingFault fault, string message, Exception? inner = null)
        : base(message, inner)
    {
        Peer = peer;
        Fault = fault;
    }

    /// <summary>The rank on the other end, this member's own for <see cref="RingFault.Aborted"/>.</summary>
    public int Peer { get; }

    public RingFault Fault { get; }
}

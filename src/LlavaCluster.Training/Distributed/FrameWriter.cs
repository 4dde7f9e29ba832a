namespace LlavaCluster.Training.Distributed;

/// <summary>Frames to the next member. One thread at a time; allocates nothing.</summary>
internal sealed class FrameWriter(RingConnection connection, long generation)
{
    /// <summary>Up to here a payload is copied behind its header, so that both leave in one packet.</summary>
    private const int CopiedPayload = 8 << 10;

    private readonly byte[] _buffer = new byte[FrameHeader.Bytes + CopiedPayload];
    private long _number;
    private long _bytesSent;

    /// <summary>With headers; any thread.</summary>
    public long BytesSent => Volatile.Read(ref _bytesSent);

    /// <param name="time">In which the connection must have taken the frame.</param>
    public void Write(FrameType type, long measure, ReadOnlySpan<byte> payload, TimeSpan time)
    {
        new FrameHeader(payload.Length, type, generation, _number++, measure).Write(_buffer, payload, connection.Seed);
        connection.LimitWrites(time);
        if (payload.Length <= CopiedPayload)
        {
            payload.CopyTo(_buffer.AsSpan(FrameHeader.Bytes));
            connection.Write(_buffer.AsSpan(0, FrameHeader.Bytes + payload.Length));
        }
        else
        {
            connection.Write(_buffer.AsSpan(0, FrameHeader.Bytes));
            connection.Write(payload);
        }

        Volatile.Write(ref _bytesSent, _bytesSent + FrameHeader.Bytes + payload.Length);
    }
}

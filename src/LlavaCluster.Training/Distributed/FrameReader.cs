namespace LlavaCluster.Training.Distributed;

/// <summary>Frames from the previous member, each checked before its payload counts. One thread; allocates nothing.</summary>
internal sealed class FrameReader(RingConnection connection, long generation)
{
    private readonly byte[] _header = new byte[FrameHeader.Bytes];
    private long _number;

    /// <summary>Fills the whole buffer from the next frame, which must be of this call and as long.</summary>
    public void ReadExactly(FrameType type, long measure, Span<byte> buffer, TimeSpan time)
    {
        var header = ReadHeader(type, measure, time);
        if (header.Length != buffer.Length)
        {
            throw Mismatch($"{header.Length} bytes where {buffer.Length} were due");
        }

        ReadPayload(buffer);
    }

    /// <summary>The next frame's payload, at most as long as the buffer; returns its length.</summary>
    public int Read(FrameType type, long measure, Span<byte> buffer, TimeSpan time)
    {
        var header = ReadHeader(type, measure, time);
        if (header.Length < 0 || header.Length > buffer.Length)
        {
            throw Mismatch($"{header.Length} bytes where at most {buffer.Length} may be");
        }

        ReadPayload(buffer[..header.Length]);
        return header.Length;
    }

    private FrameHeader ReadHeader(FrameType type, long measure, TimeSpan time)
    {
        connection.LimitReads(time);
        connection.Read(_header);
        var header = FrameHeader.Parse(_header);
        if (header.Type == FrameType.Leave && header.Length == 0 && FrameHeader.IsIntact(_header, [], connection.Seed))
        {
            throw new RingBrokenException(connection.Peer, RingFault.Left, $"Rank {connection.Peer} has left the group.");
        }

        if (header.Generation != generation || header.Number != _number)
        {
            throw Mismatch($"frame {header.Number} of generation {header.Generation} where frame {_number} of generation {generation} was due");
        }

        if (header.Type != type || header.Measure != measure)
        {
            throw Mismatch($"{header.Type} of {header.Measure} where {type} of {measure} was due: the members' calls differ");
        }

        _number++;
        return header;
    }

    private void ReadPayload(Span<byte> payload)
    {
        connection.Read(payload);
        if (!FrameHeader.IsIntact(_header, payload, connection.Seed))
        {
            throw new RingBrokenException(connection.Peer, RingFault.Damaged, $"Frame {_number - 1} of rank {connection.Peer} differs from its checksum.");
        }
    }

    private RingBrokenException Mismatch(string what) => new(connection.Peer, RingFault.Mismatched, $"Rank {connection.Peer} sent {what}.");
}

using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>PNG (ISO/IEC 15948) as a walk over its chunks: length, type, data, checksum. Stops where the file ends before a chunk does.</summary>
internal ref struct PngFile(ReadOnlySpan<byte> file)
{
    private const int Frame = 12;

    private ReadOnlySpan<byte> _rest = file[Signature.Length..];
    private ReadOnlySpan<byte> _chunk = default;

    public static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    public readonly ReadOnlySpan<byte> Data => _chunk[8..^4];

    public readonly bool Is(ReadOnlySpan<byte> type) => _chunk.Slice(4, 4).SequenceEqual(type);

    public bool TryMove()
    {
        if (_rest.Length < Frame || BinaryPrimitives.ReadUInt32BigEndian(_rest) is var length && length > _rest.Length - Frame)
        {
            return false;
        }

        _chunk = _rest[..(Frame + (int)length)];
        _rest = _rest[_chunk.Length..];
        return true;
    }

    /// <summary>Whether the chunk's checksum is right. Slow: not for pixel data, which has a checksum of its own.</summary>
    public readonly bool IsIntact()
    {
        // ISO/IEC 15948, annex D.
        const uint polynomial = 0xEDB88320;
        var check = uint.MaxValue;
        foreach (var value in _chunk[4..^4])
        {
            check ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                check = (check >> 1) ^ ((check & 1) * polynomial);
            }
        }

        return ~check == BinaryPrimitives.ReadUInt32BigEndian(_chunk[^4..]);
    }
}

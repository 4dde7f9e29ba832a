using System.Buffers.Binary;
using System.IO.Hashing;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// What precedes a frame's payload, little-endian: length (4 bytes), type (4), generation (8), number within the connection (8), measure (8), checksum (8).
/// The checksum is XXH3 of the payload, seeded by XXH3 of the bytes before it, which the connection's secret seeds.
/// </summary>
/// <param name="Measure">What the call says of itself, so that members who differ notice: the bytes of the whole vector, the place in a stream.</param>
internal readonly record struct FrameHeader(int Length, FrameType Type, long Generation, long Number, long Measure)
{
    public const int Bytes = 40;

    /// <summary>Of a payload; a vector is cut into pieces of this length.</summary>
    public const int MostPayload = 256 << 10;

    private const int ChecksumAt = 32;

    public static FrameHeader Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadInt32LittleEndian(bytes),
        (FrameType)BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]));

    public static bool IsIntact(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, ulong seed) =>
        BinaryPrimitives.ReadUInt64LittleEndian(header[ChecksumAt..]) == Checksum(header, payload, seed);

    public void Write(Span<byte> bytes, ReadOnlySpan<byte> payload, ulong seed)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes, Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], (int)Type);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], Generation);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], Number);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[24..], Measure);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[ChecksumAt..], Checksum(bytes, payload, seed));
    }

    private static ulong Checksum(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, ulong seed) =>
        XxHash3.HashToUInt64(payload, (long)XxHash3.HashToUInt64(header[..ChecksumAt], (long)seed));
}

using System.Buffers.Binary;

namespace LlavaCluster.Gateway.Images;

/// <summary>WebP (RFC 9649): a RIFF file whose first chunk is a lossy frame, a lossless one, or the extended header with the canvas.</summary>
internal static class WebPHeader
{
    private const int FirstChunk = 12;
    private const int ChunkHead = 8;

    public static bool Matches(ReadOnlySpan<byte> file) => file.Length >= FirstChunk && file.StartsWith("RIFF"u8) && file[8..].StartsWith("WEBP"u8);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        // The RIFF size counts everything after its own eight bytes.
        var size = BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        if (size > file.Length - 8 || file.Length < FirstChunk + ChunkHead + 10)
        {
            return Bad(HeaderResult.Truncated);
        }

        var chunk = file[FirstChunk..];
        var length = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
        var data = chunk[ChunkHead..];
        if (length > data.Length)
        {
            return Bad(HeaderResult.Truncated);
        }

        if (chunk.StartsWith("VP8 "u8))
        {
            // Three bytes of frame tag, the start code, then 14 bits a side; the upper two scale.
            return data[3] == 0x9D && data[4] == 0x01 && data[5] == 0x2A
                ? Good(BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFF)
                : Bad(HeaderResult.Malformed);
        }

        if (chunk.StartsWith("VP8L"u8))
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
            return data[0] == 0x2F ? Good((int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1) : Bad(HeaderResult.Malformed);
        }

        return chunk.StartsWith("VP8X"u8) && length == 10 ? Good(UInt24(data[4..]) + 1, UInt24(data[7..]) + 1) : Bad(HeaderResult.Malformed);
    }

    private static int UInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);

    private static HeaderResult Good(int width, int height) => new("WebP", new ImageHeader(ImageFormat.WebP, width, height), null);

    private static HeaderResult Bad(string problem) => new("WebP", null, problem);
}

using System.Buffers.Binary;

namespace LlavaCluster.Gateway.Images;

/// <summary>PNG (ISO/IEC 15948): a signature, then chunks of length, type, data and checksum, from IHDR to IEND.</summary>
internal static class PngHeader
{
    private const int ChunkFrame = 12;

    private static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        var rest = file[Signature.Length..];
        if (rest.Length < ChunkFrame + 13)
        {
            return Bad(HeaderResult.Truncated);
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(rest) != 13 || !rest[4..].StartsWith("IHDR"u8))
        {
            return Bad(HeaderResult.Malformed);
        }

        var width = BinaryPrimitives.ReadUInt32BigEndian(rest[8..]);
        var height = BinaryPrimitives.ReadUInt32BigEndian(rest[12..]);
        if (width > int.MaxValue || height > int.MaxValue)
        {
            return Bad(HeaderResult.Malformed);
        }

        return HasWholeData(rest[(ChunkFrame + 13)..])
            ? new HeaderResult("PNG", new ImageHeader(ImageFormat.Png, (int)width, (int)height), null)
            : Bad(HeaderResult.Truncated);
    }

    private static bool HasWholeData(ReadOnlySpan<byte> chunks)
    {
        var data = false;
        while (chunks.Length >= ChunkFrame)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunks);
            var type = chunks.Slice(4, 4);
            if (type.SequenceEqual("IEND"u8))
            {
                return data;
            }

            if (length > chunks.Length - ChunkFrame)
            {
                return false;
            }

            data |= type.SequenceEqual("IDAT"u8);
            chunks = chunks[(ChunkFrame + (int)length)..];
        }

        return false;
    }

    private static HeaderResult Bad(string problem) => new("PNG", null, problem);
}

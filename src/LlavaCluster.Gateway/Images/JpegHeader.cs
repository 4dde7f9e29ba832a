using System.Buffers.Binary;

namespace LlavaCluster.Gateway.Images;

/// <summary>JPEG (ITU-T T.81, annex B): marker segments up to the scan, of which the frame header has the size; the file ends with EOI.</summary>
internal static class JpegHeader
{
    private const byte StartOfScan = 0xDA;
    private const byte EndOfImage = 0xD9;

    private static ReadOnlySpan<byte> Signature => [0xFF, 0xD8, 0xFF];

    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        ImageHeader? header = null;
        var at = 2;
        while (at + 4 <= file.Length)
        {
            if (file[at] != 0xFF)
            {
                return Bad(HeaderResult.Malformed);
            }

            var marker = file[at + 1];
            if (marker is 0xFF or 0x01 or (>= 0xD0 and <= 0xD7))
            {
                // Fill bytes and markers that stand alone.
                at += marker == 0xFF ? 1 : 2;
                continue;
            }

            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            var segment = file[(at + 4)..];
            if (length < 2 || marker is EndOfImage or 0xD8)
            {
                return Bad(HeaderResult.Malformed);
            }

            if (length - 2 > segment.Length)
            {
                return Bad(HeaderResult.Truncated);
            }

            if (marker == StartOfScan)
            {
                return header is null ? Bad(HeaderResult.Malformed) : AtScan(header, segment[(length - 2)..]);
            }

            if (IsFrame(marker))
            {
                // A second frame header would let the decoder see another size than was checked.
                if (header is not null || length < 8)
                {
                    return Bad(HeaderResult.Malformed);
                }

                header = new ImageHeader(ImageFormat.Jpeg, BinaryPrimitives.ReadUInt16BigEndian(segment[3..]), BinaryPrimitives.ReadUInt16BigEndian(segment[1..]));
            }

            at += 2 + length;
        }

        return Bad(HeaderResult.Truncated);
    }

    private static HeaderResult AtScan(ImageHeader header, ReadOnlySpan<byte> scan) =>
        scan.LastIndexOf([(byte)0xFF, EndOfImage]) > 0 ? new HeaderResult("JPEG", header, null) : Bad(HeaderResult.Truncated);

    // SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC).
    private static bool IsFrame(byte marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    private static HeaderResult Bad(string problem) => new("JPEG", null, problem);
}

using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>JPEG (ITU-T T.81, annex B): marker segments and, after each start of scan, coded data; of the segments the frame header has the size. It ends with EOI.</summary>
internal static class JpegHeader
{
    private const byte StartOfImage = 0xD8;
    private const byte EndOfImage = 0xD9;
    private const byte StartOfScan = 0xDA;
    private const byte App1 = 0xE1;

    private static ReadOnlySpan<byte> Signature => [0xFF, StartOfImage, 0xFF];

    public static bool Matches(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        ImageHeader? header = null;
        var (scans, orientation) = (0, 0);
        var rest = file[2..];
        while (NextMarker(ref rest) is { } marker)
        {
            if (marker == EndOfImage)
            {
                return header is null || scans == 0 ? Bad(HeaderResult.Malformed) : new HeaderResult(ImageFormat.Jpeg, header with { Scans = scans, Orientation = Math.Max(orientation, Exif.Upright) }, null);
            }

            if (rest.Length < 2)
            {
                return Bad(HeaderResult.Truncated);
            }

            var length = BinaryPrimitives.ReadUInt16BigEndian(rest);
            if (length < 2 || marker == StartOfImage)
            {
                return Bad(HeaderResult.Malformed);
            }

            if (length > rest.Length)
            {
                return Bad(HeaderResult.Truncated);
            }

            var segment = rest[2..length];
            if (IsFrame(marker))
            {
                // A second frame header would let the decoder see another size than was checked.
                if (header is not null || Frame(marker, segment) is not { } frame)
                {
                    return Bad(header is null && segment.Length >= 6 ? HeaderResult.Unsupported : HeaderResult.Malformed);
                }

                header = frame;
            }

            scans += marker == StartOfScan ? 1 : 0;
            orientation = marker == App1 && orientation == 0 && Exif.IsExif(segment) ? Exif.Orientation(segment) : orientation;
            rest = rest[length..];
        }

        return Bad(HeaderResult.Truncated);
    }

    // 8 bits a sample; one, three or four components; Huffman or arithmetic coding of the DCT, sequential or progressive: what is decoded here, and by Pillow.
    private static ImageHeader? Frame(byte marker, ReadOnlySpan<byte> segment) =>
        marker is 0xC0 or 0xC1 or 0xC2 or 0xC9 or 0xCA && segment.Length >= 6 && segment[0] == 8 && segment[5] is 1 or 3 or 4 && segment.Length == 6 + (3 * segment[5])
            ? new ImageHeader(ImageFormat.Jpeg, BinaryPrimitives.ReadUInt16BigEndian(segment[3..]), BinaryPrimitives.ReadUInt16BigEndian(segment[1..]))
            : null;

    // SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC).
    private static bool IsFrame(byte marker) => marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);

    /// <summary>
    /// The next marker that begins a segment or ends the picture; <paramref name="rest"/> then begins after it. Coded data, fill bytes, restart markers and, as
    /// decoders do, garbage between segments are passed over. Null at the end of the file.
    /// </summary>
    private static byte? NextMarker(ref ReadOnlySpan<byte> rest)
    {
        while (rest.IndexOf((byte)0xFF) is >= 0 and var at && at + 1 < rest.Length)
        {
            var marker = rest[at + 1];
            rest = rest[(at + (marker == 0xFF ? 1 : 2))..];
            if (marker is not (0x00 or 0x01 or 0xFF or (>= 0xD0 and <= 0xD7)))
            {
                return marker;
            }
        }

        return null;
    }

    private static HeaderResult Bad(string problem) => new(ImageFormat.Jpeg, null, problem);
}

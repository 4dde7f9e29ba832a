using System.Buffers.Binary;

namespace LlavaCluster.Pictures.Headers;

/// <summary>
/// WebP (RFC 9649): a RIFF file of a lossy frame, a lossless one, or the extended header with a canvas and then chunks, one of which holds the frame or the
/// animation's first.
/// </summary>
internal static class WebPHeader
{
    private const int FirstChunk = 12;
    private const int ChunkHead = 8;
    private const int FrameHead = 16;
    private const byte Animated = 0x02;

    public static bool Matches(ReadOnlySpan<byte> file) => file.Length >= FirstChunk && file.StartsWith("RIFF"u8) && file[8..].StartsWith("WEBP"u8);

    public static HeaderResult Read(ReadOnlySpan<byte> file)
    {
        // The RIFF size counts everything after its own eight bytes.
        var size = BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        if (size > file.Length - 8 || size < FirstChunk - 8 + ChunkHead)
        {
            return Bad(HeaderResult.Truncated);
        }

        var rest = file[FirstChunk..(8 + (int)size)];
        if (!TryTake(ref rest, out var type, out var data))
        {
            return Bad(HeaderResult.Truncated);
        }

        if (!type.SequenceEqual("VP8X"u8))
        {
            return Frame(type, data) is { } frame ? Good(frame, Exif.Upright) : Bad(HeaderResult.Malformed);
        }

        if (data.Length < 10)
        {
            return Bad(HeaderResult.Malformed);
        }

        var canvas = (Width: UInt24(data[4..]) + 1, Height: UInt24(data[7..]) + 1);
        return (data[0] & Animated) == 0 ? Still(rest, canvas) : Animation(rest, canvas);
    }

    private static HeaderResult Still(ReadOnlySpan<byte> chunks, (int Width, int Height) canvas)
    {
        (int Width, int Height)? frame = null;
        var orientation = Exif.Upright;
        while (TryTake(ref chunks, out var type, out var data))
        {
            if (frame is null && IsFrame(type))
            {
                frame = Frame(type, data);
                if (frame != canvas)
                {
                    return Bad(HeaderResult.Malformed);
                }
            }

            orientation = type.SequenceEqual("EXIF"u8) ? Exif.Orientation(data) : orientation;
        }

        return frame is null ? Bad(HeaderResult.Truncated) : Good(canvas, orientation);
    }

    private static HeaderResult Animation(ReadOnlySpan<byte> chunks, (int Width, int Height) canvas)
    {
        var (found, orientation) = (false, Exif.Upright);
        while (TryTake(ref chunks, out var type, out var data))
        {
            if (!found && type.SequenceEqual("ANMF"u8))
            {
                if (!FitsCanvas(data, canvas))
                {
                    return Bad(HeaderResult.Malformed);
                }

                found = true;
            }

            orientation = type.SequenceEqual("EXIF"u8) ? Exif.Orientation(data) : orientation;
        }

        return found ? Good(canvas, orientation) : Bad(HeaderResult.Truncated);
    }

    /// <summary>Whether an animation's frame is what it says and lies on the canvas.</summary>
    private static bool FitsCanvas(ReadOnlySpan<byte> data, (int Width, int Height) canvas)
    {
        if (data.Length < FrameHead)
        {
            return false;
        }

        var (left, top) = (2 * UInt24(data), 2 * UInt24(data[3..]));
        var size = (Width: UInt24(data[6..]) + 1, Height: UInt24(data[9..]) + 1);
        var chunks = data[FrameHead..];
        while (TryTake(ref chunks, out var type, out var frame))
        {
            if (IsFrame(type))
            {
                return Frame(type, frame) == size && left + size.Width <= canvas.Width && top + size.Height <= canvas.Height;
            }
        }

        return false;
    }

    /// <summary>The next chunk; false when none, or not a whole one, is left. Chunks of odd length are padded.</summary>
    private static bool TryTake(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> type, out ReadOnlySpan<byte> data)
    {
        type = default;
        data = default;
        if (rest.Length < ChunkHead || BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]) is var length && length > rest.Length - ChunkHead)
        {
            return false;
        }

        type = rest[..4];
        data = rest.Slice(ChunkHead, (int)length);
        rest = rest[Math.Min(rest.Length, ChunkHead + (int)length + (int)(length & 1))..];
        return true;
    }

    private static bool IsFrame(ReadOnlySpan<byte> type) => type.SequenceEqual("VP8 "u8) || type.SequenceEqual("VP8L"u8);

    private static (int Width, int Height)? Frame(ReadOnlySpan<byte> type, ReadOnlySpan<byte> data) =>
        type.SequenceEqual("VP8 "u8) ? Lossy(data) : type.SequenceEqual("VP8L"u8) ? Lossless(data) : null;

    // RFC 6386, 9.1: a tag of three bytes (no key frame, profile in three bits, shown, length of the first partition), the start code, then 14 bits a side.
    private static (int Width, int Height)? Lossy(ReadOnlySpan<byte> data)
    {
        if (data.Length < 10)
        {
            return null;
        }

        var tag = UInt24(data);
        var whole = (tag & 1) == 0 && ((tag >> 1) & 7) <= 3 && ((tag >> 4) & 1) == 1 && tag >> 5 <= data.Length - 10 && data[3..].StartsWith<byte>([0x9D, 0x01, 0x2A]);
        return whole ? (BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFF, BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFF) : null;
    }

    // RFC 9649, 3.4: a signature, 14 bits a side less one, whether there is alpha, and a version of 0.
    private static (int Width, int Height)? Lossless(ReadOnlySpan<byte> data)
    {
        if (data.Length < 5 || data[0] != 0x2F)
        {
            return null;
        }

        var bits = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
        return bits >> 29 == 0 ? ((int)(bits & 0x3FFF) + 1, (int)((bits >> 14) & 0x3FFF) + 1) : null;
    }

    private static int UInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);

    private static HeaderResult Good((int Width, int Height) size, int orientation) => new(ImageFormat.WebP, new ImageHeader(ImageFormat.WebP, size.Width, size.Height, orientation), null);

    private static HeaderResult Bad(string problem) => new(ImageFormat.WebP, null, problem);
}

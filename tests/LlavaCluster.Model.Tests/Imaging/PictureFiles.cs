using System.Buffers.Binary;
using System.IO.Compression;
using SkiaSharp;

namespace LlavaCluster.Model.Tests.Imaging;

/// <summary>Encoded pictures made byte by byte or by the codec's own encoder.</summary>
internal static class PictureFiles
{
    /// <summary>One pixel: a red frame, then a blue one (GIF89a).</summary>
    public static byte[] TwoFrameGif { get; } =
    [
        .. "GIF89a"u8, 1, 0, 1, 0, 0x80, 0, 0, 255, 0, 0, 0, 0, 255,
        .. Frame(0x44), .. Frame(0x4C), 0x3B,
    ];

    public static byte[] OneColour(SKEncodedImageFormat format, int width, int height, SKColor colour)
    {
        using var bitmap = new SKBitmap(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        bitmap.Erase(colour);
        using var data = bitmap.Encode(format, 100);
        return data.ToArray();
    }

    /// <summary>A picture whose pixels fill most of the file.</summary>
    public static byte[] Noise(SKEncodedImageFormat format)
    {
        if (format == SKEncodedImageFormat.Gif)
        {
            return [.. TwoFrameGif[..42], 0x3B];
        }

        var random = new Random(7);
        if (format == SKEncodedImageFormat.Bmp)
        {
            return Bmp(40, 30, (_, _) => ((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)));
        }

        using var bitmap = new SKBitmap(40, 30, SKColorType.Rgba8888, SKAlphaType.Opaque);
        for (var i = 0; i < 1200; i++)
        {
            bitmap.SetPixel(i % 40, i / 40, new SKColor((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)));
        }

        using var data = bitmap.Encode(format, 90);
        return data.ToArray();
    }

    /// <summary>A JPEG of gray squares of 8 by 8, the blocks JPEG stores exactly.</summary>
    /// <param name="orientation">EXIF orientation, 1 to 8.</param>
    public static byte[] OrientedJpeg(int columns, byte[] grays, byte orientation)
    {
        using var bitmap = new SKBitmap(8 * columns, 8 * grays.Length / columns, SKColorType.Gray8, SKAlphaType.Opaque);
        for (var i = 0; i < grays.Length * 64; i++)
        {
            var gray = grays[(i / bitmap.Width / 8 * columns) + (i % bitmap.Width / 8)];
            bitmap.SetPixel(i % bitmap.Width, i / bitmap.Width, new SKColor(gray, gray, gray));
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 100);
        // A TIFF header, then one directory of one entry: tag 0x0112, SHORT, one value.
        byte[] exif = [.. "Exif\0\0MM"u8, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
        var file = data.ToArray();
        return [.. file[..2], 0xFF, 0xE1, 0, (byte)(exif.Length + 2), .. exif, .. file[2..]];
    }

    /// <summary>A PNG of one IDAT with unfiltered rows.</summary>
    public static byte[] Png(int width, int height, byte bitDepth, byte colourType, byte[] samples)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (bitDepth, colourType);
        using var rows = new MemoryStream();
        using (var zlib = new ZLibStream(rows, CompressionLevel.Fastest, leaveOpen: true))
        {
            foreach (var row in samples.Chunk(Math.Max(1, samples.Length / height)))
            {
                zlib.WriteByte(0);
                zlib.Write(row);
            }
        }

        return
        [
            0x89, .. "PNG\r\n"u8, 0x1A, (byte)'\n', .. Chunk("IHDR", header),
            .. Chunk("IDAT", rows.ToArray()), .. Chunk("IEND", []),
        ];
    }

    /// <summary>The JPEG with its last scan repeated until there are <paramref name="scans"/>.</summary>
    public static byte[] WithScans(byte[] jpeg, int scans)
    {
        var places = Enumerable.Range(0, jpeg.Length - 1).Where(at => jpeg[at] == 0xFF && jpeg[at + 1] == 0xDA).ToList();
        var last = jpeg[places[^1]..^2];
        return [.. jpeg[..^2], .. Enumerable.Repeat(last, scans - places.Count).SelectMany(scan => scan), 0xFF, 0xD9];
    }

    /// <summary>A BMP of 24 bits a pixel.</summary>
    public static byte[] Bmp(int width, int height, Func<int, int, (byte Red, byte Green, byte Blue)> colour)
    {
        const int headers = 54;
        var stride = ((width * 3) + 3) / 4 * 4;
        var file = new byte[headers + (stride * height)];
        "BM"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(2), file.Length);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(10), headers);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(14), 40);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(18), width);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(22), height);
        (file[26], file[28]) = (1, 24);
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var at = headers + ((height - 1 - y) * stride) + (x * 3);
                (file[at + 2], file[at + 1], file[at]) = colour(x, y);
            }
        }

        return file;
    }

    // A graphic control of 10 ms, then a one-pixel image of two-bit codes: clear, the colour, end.
    private static byte[] Frame(byte codes) => [0x21, 0xF9, 4, 0, 1, 0, 0, 0, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, codes, 1, 0];

    private static byte[] Chunk(string type, byte[] data)
    {
        byte[] body = [.. System.Text.Encoding.ASCII.GetBytes(type), .. data];
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        var check = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(check, Crc32(body));
        return [.. length, .. body, .. check];
    }

    private static uint Crc32(byte[] bytes)
    {
        const uint polynomial = 0xEDB88320;
        var check = uint.MaxValue;
        foreach (var value in bytes)
        {
            check ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                check = (check >> 1) ^ ((check & 1) * polynomial);
            }
        }

        return ~check;
    }
}

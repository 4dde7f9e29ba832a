using LlavaCluster.Model.Imaging;
using LlavaCluster.Pictures;
using SkiaSharp;

namespace LlavaCluster.Model.Tests.Imaging;

public sealed class ImageDecoderTests
{
    private static readonly HeaderLimits Limits = new();

    public static TheoryData<string> Names => [.. GoldenImages.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_OfAGolden_GivesPillowsBytes(string name)
    {
        var expected = GoldenImages.Decoded(name);

        var actual = Decoded(GoldenImages.File(name));

        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        Assert.True(expected.Pixels.AsSpan().SequenceEqual(actual.Pixels));
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public void Decode_OfOneColour_GivesItInEveryFormat(SKEncodedImageFormat format)
    {
        var picture = Decoded(PictureFiles.OneColour(format, 9, 5, new SKColor(200, 100, 50)));

        Assert.Equal((9, 5), (picture.Width, picture.Height));
        for (var i = 0; i < picture.Pixels.Length; i++)
        {
            Assert.InRange(picture.Pixels[i] - new[] { 200, 100, 50 }[i % 3], -2, 2);
        }
    }

    [Fact]
    public void Decode_OfABmp_GivesItsColours()
    {
        var picture = Decoded(PictureFiles.Bmp(3, 2, (x, y) => ((byte)(10 * x), (byte)(100 * y), 7)));

        Assert.Equal([0, 0, 7, 10, 0, 7, 20, 0, 7, 0, 100, 7, 10, 100, 7, 20, 100, 7], picture.Pixels);
    }

    [Fact]
    public void Decode_OfAnAnimatedGif_GivesTheFirstFrame()
    {
        var picture = Decoded(PictureFiles.TwoFrameGif);

        Assert.Equal([255, 0, 0], picture.Pixels);
    }

    [Fact]
    public void Decode_Of16BitChannels_KeepsTheHighByteOfColoursAndClipsGrays()
    {
        var colour = PictureFiles.Png(1, 1, bitDepth: 16, colourType: 2, [0x12, 0xFF, 0x34, 0x80, 0x56, 0x00]);
        var gray = PictureFiles.Png(2, 1, bitDepth: 16, colourType: 0, [0xAB, 0xCD, 0x00, 0xCD]);

        Assert.Equal([0x12, 0x34, 0x56], Decoded(colour).Pixels);
        Assert.Equal([0xFF, 0xFF, 0xFF, 0xCD, 0xCD, 0xCD], Decoded(gray).Pixels);
    }

    [Fact]
    public void Decode_OfTransparentPixels_KeepsTheirColours()
    {
        var file = PictureFiles.Png(2, 1, bitDepth: 8, colourType: 6, [10, 20, 30, 0, 40, 50, 60, 128]);

        Assert.Equal([10, 20, 30, 40, 50, 60], Decoded(file).Pixels);
    }

    [Fact]
    public void Decode_OfMoreBytesThanAllowed_IsRejectedWithBoundAndValue() =>
        AssertRejected(new HeaderLimits { MaxBytes = 9 }, new byte[10], "a picture must be at most 9 bytes; was 10.");

    [Fact]
    public void Decode_OfTheMostAllowed_IsDecoded()
    {
        var file = GoldenImages.File("exact");

        Assert.True(ImageDecoder.Decode(file, new HeaderLimits { MaxBytes = file.Length, MaxPixels = 56 * 56, MaxSide = 56 }).Succeeded);
    }

    [Fact]
    public void Decode_OfABombsHeader_IsRejectedWithoutItsPixels()
    {
        // No pixel data at all: only the header can be what is judged.
        var file = PictureFiles.Png(30000, 30000, bitDepth: 8, colourType: 2, []);

        AssertRejected(new HeaderLimits { MaxSide = 40000, MaxPixels = 1000 }, file, "a picture must have at most 1000 pixels; was 30000x30000.");
        AssertRejected(new HeaderLimits(), file, "a picture must have sides of at most 8192 pixels; was 30000x30000.");
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    [InlineData(SKEncodedImageFormat.Gif)]
    [InlineData(SKEncodedImageFormat.Bmp)]
    public void Decode_OfAFileCutAnywhere_IsRejected(SKEncodedImageFormat format)
    {
        var whole = PictureFiles.Noise(format);
        Decoded(whole);

        for (var length = 0; length < whole.Length * 9 / 10; length += Math.Max(1, whole.Length / 97))
        {
            Assert.NotNull(ImageDecoder.Decode(whole.AsSpan(0, length), Limits).Refusal);
        }
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png, "a picture must be a whole PNG file; its data ends too early.")]
    [InlineData(SKEncodedImageFormat.Jpeg, "a picture must be a whole JPEG file; its data ends too early.")]
    public void Decode_OfAFileCutInItsPixels_IsRejectedByItsHeader(SKEncodedImageFormat format, string refusal)
    {
        var whole = PictureFiles.Noise(format);

        AssertRejected(new HeaderLimits(), whole[..(whole.Length / 2)], refusal);
    }

    [Fact]
    public void Decode_OfFewerPixelsThanPromised_IsRejected() =>
        AssertRejected(new HeaderLimits(), PictureFiles.Png(5, 5, bitDepth: 8, colourType: 2, new byte[60]), "a picture must be a whole PNG file; its pixels are cut off.");

    /// <summary>Most of a file's scans may be a few bytes that still ask for work on every pixel.</summary>
    [Fact]
    public void Decode_OfAJpegOfThousandsOfScans_IsRejectedWithoutItsPixels()
    {
        var most = PillowPictures.File("99_scans.jpg");

        AssertRejected(new HeaderLimits(), PictureFiles.WithScans(most, 100), "a picture must have at most 99 scans; was 100.");
        AssertRejected(new HeaderLimits(), PictureFiles.WithScans(most, 50_000), "a picture must have at most 99 scans; was 50000.");
        Assert.Null(ImageDecoder.Decode(most, new HeaderLimits()).Refusal);
    }

    [Fact]
    public void Decode_OfText_IsUnsupported() =>
        AssertRejected(new HeaderLimits(), "<svg xmlns='http://www.w3.org/2000/svg'/>"u8.ToArray(), "a picture must be a PNG, JPEG, WebP, GIF or BMP file.");

    [Theory]
    [InlineData(1, new byte[] { 1, 2, 3, 4, 5, 6 }, 3)]
    [InlineData(2, new byte[] { 3, 2, 1, 6, 5, 4 }, 3)]
    [InlineData(3, new byte[] { 6, 5, 4, 3, 2, 1 }, 3)]
    [InlineData(4, new byte[] { 4, 5, 6, 1, 2, 3 }, 3)]
    [InlineData(5, new byte[] { 1, 4, 2, 5, 3, 6 }, 2)]
    [InlineData(6, new byte[] { 4, 1, 5, 2, 6, 3 }, 2)]
    [InlineData(7, new byte[] { 6, 3, 5, 2, 4, 1 }, 2)]
    [InlineData(8, new byte[] { 3, 6, 2, 5, 1, 4 }, 2)]
    public void Decode_OfAnOrientedPicture_TurnsItOnlyWhenAsked(byte orientation, byte[] upright, int width)
    {
        var file = PictureFiles.OrientedJpeg(3, [40, 80, 120, 160, 200, 240], orientation);

        var turned = Assert.IsType<RgbImage>(ImageDecoder.Decode(file, Limits, applyOrientation: true).Image);
        var stored = Decoded(file);

        Assert.Equal((8 * width, 48 / width), (turned.Width, turned.Height));
        Assert.Equal(upright, Squares(turned));
        Assert.Equal((24, 16), (stored.Width, stored.Height));
        Assert.Equal([1, 2, 3, 4, 5, 6], Squares(stored));
    }

    /// <summary>The numbers of the squares whose gray is 40 times it.</summary>
    private static byte[] Squares(RgbImage image) =>
        [.. from y in Enumerable.Range(0, image.Height / 8) from x in Enumerable.Range(0, image.Width / 8) select (byte)Math.Round(image.Pixels[((((8 * y) + 4) * image.Width) + (8 * x) + 4) * 3] / 40.0)];

    private static void AssertRejected(HeaderLimits limits, byte[] file, string message) =>
        Assert.Equal(message, ImageDecoder.Decode(file, limits).Refusal);

    private static RgbImage Decoded(byte[] file) => Assert.IsType<RgbImage>(ImageDecoder.Decode(file, Limits).Image);
}

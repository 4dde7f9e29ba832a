using CsCheck;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Pictures;

namespace LlavaCluster.Gateway.Tests.Images;

public sealed class ImageHeaderTests
{
    private static readonly HeaderLimits Limits = new() { MaxSide = int.MaxValue };

    public static TheoryData<byte[], string> Files => new()
    {
        { TestImages.Png(), "image/png" }, { TestImages.Jpeg(), "image/jpeg" }, { TestImages.Gif(), "image/gif" }, { TestImages.Bmp(), "image/bmp" },
        { TestImages.WebPLossless(), "image/webp" }, { TestImages.WebPLossy(), "image/webp" }, { TestImages.WebPExtended(), "image/webp" },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void TryRead_OfAWholeFile_FindsItsSize(byte[] file, string mediaType)
    {
        Assert.True(ImageHeader.TryRead(file, Limits, out var header, out _));
        Assert.Equal((mediaType, 4, 3), (header.MediaType, header.Width, header.Height));
    }

    /// <summary>Any bytes after a format's signature, and any damage to a whole file, are read or refused with a reason, never thrown at.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void TryRead_OfDamagedFiles_NeverThrows(byte[] file, string _)
    {
        Gen.Select(Gen.Int[0, file.Length], Gen.Int[0, file.Length - 1], Gen.Byte, Gen.Byte.Array[0, 64]).Sample(
            (kept, at, value, tail) =>
            {
                byte[] damaged = [.. file];
                damaged[at] = value;
                damaged = [.. damaged[..kept], .. tail];
                return ImageHeader.TryRead(damaged, Limits, out var header, out var problem) ? header is { Width: > 0, Height: > 0 } : problem is { Length: > 0 };
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void TryRead_OverABound_NamesBoundAndValue()
    {
        Assert.Equal("must be at most 5 bytes; was 6.", Problem(new byte[6], new HeaderLimits { MaxBytes = 5 }));
        Assert.Equal("must have sides of at most 8192 pixels; was 8193x1.", Problem(TestImages.Png(8193, 1), new HeaderLimits()));
        Assert.Equal("must have at most 25000000 pixels; was 5000x5001.", Problem(TestImages.Gif(5000, 5001), new HeaderLimits()));
        Assert.Equal("must have at most 1 scans; was 2.", Problem(TestImages.Jpeg(scans: 2), new HeaderLimits { MaxScans = 1 }));
    }

    [Fact]
    public void TryRead_AtABound_IsTaken() =>
        Assert.True(ImageHeader.TryRead(TestImages.Jpeg(8192, 3051, scans: 99), new HeaderLimits { MaxBytes = TestImages.Jpeg(scans: 99).Length }, out _, out _));

    /// <summary>What no decoder here reads is refused at once, not when its turn runs.</summary>
    [Theory]
    [InlineData(0xC3, 8, 1)]
    [InlineData(0xC5, 8, 1)]
    [InlineData(0xC0, 12, 1)]
    [InlineData(0xC0, 8, 2)]
    public void TryRead_OfAJpegThatCannotBeDecoded_SaysSo(byte frame, byte precision, byte components)
    {
        var file = TestImages.Jpeg(frame: frame, precision: precision, components: components);

        Assert.Equal("must be a whole JPEG file; its kind of compression is not supported.", Problem(file, new HeaderLimits()));
    }

    [Fact]
    public void TryRead_OfAWebPWhoseFrameIsNotOfItsCanvas_IsMalformed()
    {
        var file = TestImages.WebPExtended();
        file[24]++; // the canvas's width

        Assert.Equal("must be a whole WebP file; its header is malformed.", Problem(file, new HeaderLimits()));
    }

    private static string? Problem(byte[] file, HeaderLimits limits) => ImageHeader.TryRead(file, limits, out _, out var problem) ? null : problem;
}

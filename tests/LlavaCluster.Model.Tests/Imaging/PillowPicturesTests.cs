using LlavaCluster.Model.Imaging;
using LlavaCluster.Pictures;

namespace LlavaCluster.Model.Tests.Imaging;

/// <summary>Every kind of file against the bytes that Pillow makes of it.</summary>
public sealed class PillowPicturesTests
{
    private static readonly HeaderLimits Limits = new();

    public static TheoryData<string> Names => [.. PillowPictures.Names];

    public static TheoryData<string> OrientedNames => [.. PillowPictures.Names.Where(name => name.StartsWith("exif", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_OfAFileThatPillowReads_GivesItsBytes(string name) => AssertSame(PillowPictures.Decoded(name), Decoded(name));

    [Theory]
    [MemberData(nameof(OrientedNames))]
    public void Decode_OfAnOrientedFile_TurnsItAsPillowDoes(string name)
    {
        var expected = PillowPictures.Ppm(name + ".upright.ppm");

        AssertSame(expected, Decoded(name, applyOrientation: true));
        Assert.Equal((expected.Width, expected.Height, null), ImageDecoder.Measure(PillowPictures.File(name), Limits, applyOrientation: true));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Measure_OfAFile_IsTheSizeItIsDecodedTo(string name)
    {
        var decoded = Decoded(name);

        Assert.Equal((decoded.Width, decoded.Height, null), ImageDecoder.Measure(PillowPictures.File(name), Limits));
    }

    /// <summary>What remains of a cut file is refused, unless what was cut off never counted.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_OfAFileCutAnywhere_IsRefusedOrComplete(string name)
    {
        var whole = PillowPictures.File(name);
        var expected = PillowPictures.Decoded(name);
        for (var length = 0; length < whole.Length; length += Math.Max(1, whole.Length / 200))
        {
            var decoding = ImageDecoder.Decode(whole.AsSpan(0, length), Limits);
            if (decoding.Succeeded)
            {
                AssertSame(expected, decoding.Image);
            }
            else
            {
                Assert.StartsWith("a picture must be a ", decoding.Refusal, StringComparison.Ordinal);
            }
        }
    }

    private static void AssertSame(RgbImage expected, RgbImage actual)
    {
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        Assert.Equal(expected.Pixels, actual.Pixels);
    }

    private static RgbImage Decoded(string name, bool applyOrientation = false)
    {
        var decoding = ImageDecoder.Decode(PillowPictures.File(name), Limits, applyOrientation);
        Assert.Null(decoding.Refusal);
        return decoding.Image!;
    }
}

using CsCheck;
using LlavaCluster.Gateway.Images;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Images;

public sealed class ImageHeaderTests
{
    public static TheoryData<byte[], string> Files => new()
    {
        { TestImages.Png(), "image/png" }, { TestImages.Jpeg(), "image/jpeg" }, { TestImages.Gif(), "image/gif" }, { TestImages.Bmp(), "image/bmp" },
        { TestImages.WebPLossless(), "image/webp" }, { TestImages.WebPLossy(), "image/webp" },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void TryRead_OfAWholeFile_FindsItsSize(byte[] file, string mediaType)
    {
        Assert.True(ImageHeader.TryRead(file, out var header, out _));
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
                return ImageHeader.TryRead(damaged, out var header, out var problem) ? header is { Width: > 0, Height: > 0 } : problem is { Length: > 0 };
            },
            iter: 2000,
            threads: 1);
    }
}

using CsCheck;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Pictures;

namespace LlavaCluster.Model.Tests.Imaging;

/// <summary>Valid files, damaged: each is decoded within the bounds or refused with a reason, and nothing is thrown.</summary>
public sealed class ImageDecoderPropertyTests
{
    private static readonly HeaderLimits Limits = new() { MaxPixels = 1 << 18, MaxSide = 2048 };

    private static readonly Gen<byte[]> Valid = Gen.Int[0, PillowPictures.Names.Count - 1].Select(i => PillowPictures.File(PillowPictures.Names[i]));

    private static readonly byte[] Telling = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF];

    /// <summary>One to eight bytes set, most of them near the front, where headers are.</summary>
    private static readonly Gen<byte[]> Overwritten =
        from file in Valid
        from changes in Gen.Select(Gen.OneOf(Gen.Int[0, Math.Min(64, file.Length - 1)], Gen.Int[0, file.Length - 1]), Gen.OneOf(Gen.Byte, Gen.Int[0, Telling.Length - 1].Select(i => Telling[i]))).List[1, 8]
        select Set(file, changes);

    private static readonly Gen<byte[]> Cut = from file in Valid from length in Gen.Int[0, file.Length - 1] select file[..length];

    /// <summary>A part taken out, put in twice, or replaced by noise, so that lengths lie.</summary>
    private static readonly Gen<byte[]> Spliced =
        from file in Valid
        from at in Gen.Int[0, file.Length - 1]
        from length in Gen.Int[0, Math.Min(64, file.Length - at)]
        from noise in Gen.Byte.Array[0, 32]
        from kind in Gen.Int[0, 2]
        select kind switch
        {
            0 => (byte[])[.. file[..at], .. file[(at + length)..]],
            1 => [.. file[..(at + length)], .. file[at..]],
            _ => [.. file[..at], .. noise, .. file[(at + length)..]],
        };

    /// <summary>The front of one file before the end of another.</summary>
    private static readonly Gen<byte[]> Crossed =
        from front in Valid
        from back in Valid
        from kept in Gen.Int[0, front.Length]
        from skipped in Gen.Int[0, back.Length]
        select (byte[])[.. front[..kept], .. back[skipped..]];

    [Fact]
    public void Decode_OfDamagedFiles_GivesAPictureOrARefusal() =>
        Gen.OneOf(Overwritten, Cut, Spliced, Crossed).Sample(IsDecodedOrRefused, iter: 6000, print: file => Convert.ToBase64String(file));

    private static bool IsDecodedOrRefused(byte[] file)
    {
        var decoding = ImageDecoder.Decode(file, Limits);
        var measured = ImageDecoder.Measure(file, Limits);
        return decoding.Succeeded
            ? measured == (decoding.Image.Width, decoding.Image.Height, null) && (long)decoding.Image.Width * decoding.Image.Height <= Limits.MaxPixels
            : decoding.Refusal.StartsWith("a picture must ", StringComparison.Ordinal);
    }

    private static byte[] Set(byte[] file, IEnumerable<(int At, byte Value)> changes)
    {
        byte[] damaged = [.. file];
        foreach (var (at, value) in changes)
        {
            damaged[at] = value;
        }

        return damaged;
    }
}

using CsCheck;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Imaging;

public sealed class PillowResizeTests
{
    private const int Side = 24;

    private static readonly Gen<RgbImage> Pictures =
        from width in Gen.Int[1, 40]
        from height in Gen.Int[1, 40]
        from pixels in Gen.Byte.Array[width * height * 3]
        select new RgbImage(width, height, pixels);

    public static TheoryData<string> Sizes => ["400x2", "2x400", "1x500", "37x3", "24x24", "50x49"];

    /// <summary>Thin pictures above all: of what they are resized to only the middle is made.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Tiles_CroppedOrPadded_ArePillowsBytes(string size)
    {
        var image = PillowPictures.Ppm($"resize_{size}.ppm");

        Assert.Equal(PillowPictures.Ppm($"resize_{size}.crop24.ppm").Pixels, Assert.Single(Preprocessor(ImageFit.Crop).Tiles(image)).Pixels);
        Assert.Equal(PillowPictures.Ppm($"resize_{size}.pad24.ppm").Pixels, Assert.Single(Preprocessor(ImageFit.Pad).Tiles(image)).Pixels);
    }

    [Fact]
    public void Bicubic_OfAWindow_IsTheWindowOfTheWhole() =>
        Gen.Select(Pictures, Gen.Int[1, 60], Gen.Int[1, 60], Gen.Int[-5, 59], Gen.Int[-5, 59], Gen.Int[1, 30], Gen.Int[1, 30]).Sample(
            (image, width, height, left, top, windowWidth, windowHeight) =>
            {
                var expected = PillowResize.Bicubic(image, width, height).Window(left, top, windowWidth, windowHeight);
                var actual = PillowResize.Bicubic(new Plane(image), width, height, left, top, windowWidth, windowHeight);
                return (actual.Width, actual.Height) == (windowWidth, windowHeight) && expected.Pixels.AsSpan().SequenceEqual(actual.Pixels);
            },
            iter: 2000);

    [Fact]
    public void Bicubic_OfAPlane_IsThatOfThePlaneBuilt() =>
        Gen.Select(Pictures, Gen.Int[0, 20], Gen.Int[0, 20], Gen.Int[1, 60], Gen.Int[1, 60]).Sample(
            (image, across, down, width, height) =>
            {
                var built = RgbImage.Filled(image.Width + across, image.Height + down, (122, 116, 104));
                built.Paste(image, across / 2, down / 2);
                var plane = new Plane(image, built.Width, built.Height, (122, 116, 104));
                return PillowResize.Bicubic(built, width, height).Pixels.AsSpan().SequenceEqual(PillowResize.Bicubic(plane, width, height, 0, 0, width, height).Pixels);
            },
            iter: 2000);

    private static ImagePreprocessor Preprocessor(ImageFit fit) =>
        new(LlavaConfigReader.Read(Goldens.Path("a_llava15")), new PreprocessingConfig { TileSize = Side, ShortestEdge = Side, Fit = fit });
}

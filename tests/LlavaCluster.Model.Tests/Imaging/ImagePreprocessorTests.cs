using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Imaging;

public sealed class ImagePreprocessorTests
{
    // Facts of transformers' LlavaNextProcessor at its default pinpoints.
    [Theory]
    [InlineData(336, 336, 1176)]
    [InlineData(100, 100, 1176)]
    [InlineData(300, 300, 1176)]
    [InlineData(480, 640, 2340)]
    [InlineData(640, 480, 2352)]
    [InlineData(375, 500, 2340)]
    [InlineData(899, 1024, 2634)]
    [InlineData(300, 1000, 2182)]
    [InlineData(1000, 300, 2232)]
    [InlineData(1080, 1920, 1948)]
    [InlineData(672, 672, 2928)]
    [InlineData(336, 1344, 1890)]
    [InlineData(503, 316, 1526)]
    public void TokensOf_AtTheSizesOfLlavaNext_AreTheReferences(int height, int width, int tokens)
    {
        var golden = LlavaConfigReader.Read(Goldens.Path("c_llava_next"));
        var model = golden with
        {
            Vision = golden.Vision with { ImageSize = 336 },
            GridPinpoints = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)],
        };

        Assert.Equal(tokens, new ImagePreprocessor(model, new PreprocessingConfig { TileSize = 336, ShortestEdge = 336, Fit = ImageFit.Anyres }).TokensOf(height, width));
    }

    /// <summary>The thinnest pictures that are taken in need no more memory than others: of what they are resized to only a tile is made, and no square is built.</summary>
    [Theory]
    [InlineData(8192, 1, ImageFit.Crop)]
    [InlineData(1, 8192, ImageFit.Crop)]
    [InlineData(8192, 1, ImageFit.Pad)]
    [InlineData(1, 8192, ImageFit.Pad)]
    [InlineData(8192, 1, ImageFit.Anyres)]
    [InlineData(1, 8192, ImageFit.Anyres)]
    public void Prepare_OfTheThinnestPictures_AllocatesLittle(int width, int height, ImageFit fit)
    {
        var golden = LlavaConfigReader.Read(Goldens.Path(fit == ImageFit.Anyres ? "c_llava_next" : "a_llava15"));
        var side = golden.Vision.ImageSize;
        var preprocessor = new ImagePreprocessor(golden, new PreprocessingConfig { TileSize = side, ShortestEdge = side, Fit = fit });
        var image = RgbImage.Filled(width, height, (10, 20, 30));
        var before = GC.GetAllocatedBytesForCurrentThread();

        var prepared = preprocessor.Prepare(image);

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 8 << 20);
        Assert.Equal(preprocessor.TokensOf(height, width), prepared.Tokens);
    }

    // transformers' center_crop puts a picture that is smaller than its tile below and right of the middle.
    [Fact]
    public void Tiles_LargerThanTheResizedPicture_HaveItInTheMiddle()
    {
        var preprocessor = new ImagePreprocessor(LlavaConfigReader.Read(Goldens.Path("a_llava15")), new PreprocessingConfig { TileSize = 4, ShortestEdge = 1 });

        var tile = Assert.Single(preprocessor.Tiles(RgbImage.Filled(1, 1, (9, 9, 9))));

        Assert.Equal(((2 * 4) + 2) * 3, Array.IndexOf(tile.Pixels, (byte)9));
        Assert.Equal(3, tile.Pixels.Count(value => value == 9));
    }
}

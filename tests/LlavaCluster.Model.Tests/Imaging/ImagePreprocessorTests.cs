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
}

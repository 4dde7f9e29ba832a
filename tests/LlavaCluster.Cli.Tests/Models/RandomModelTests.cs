using LlavaCluster.Cli.Models;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using TorchSharp;

namespace LlavaCluster.Cli.Tests.Models;

public sealed class RandomModelTests
{
    private const int Pieces = 1000;

    [Theory]
    [InlineData("7b", 7_063_427_072)] // llava-hf/llava-1.5-7b-hf's index says 14126854144 bytes of bfloat16
    [InlineData("13b", 13_015_864_320 + (2 * 64 * 5120) + 31_467_520 + 303_507_456)] // Vicuna 13B, 64 more rows in its two tables, projector, CLIP ViT-L/14-336
    public void Config_OfAPublishedShape_HasItsParameters(string shape, long parameters)
    {
        var plan = TensorPlan.For(ModelShapes.Config(shape, Pieces));

        Assert.Equal(parameters, plan.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)));
    }

    [Fact]
    public void Write_OfTheSmallShape_MakesAModelThatOpens()
    {
        var folder = Directory.CreateTempSubdirectory("llava-random-");
        try
        {
            RandomModel.Write(folder.FullName, "small", Goldens.Path("a_llava15", "tokenizer.model"), torch.ScalarType.BFloat16, seed: 1, _ => { });

            using var checkpoint = CheckpointReader.Open(folder.FullName);
            Assert.Equal(torch.ScalarType.BFloat16, checkpoint.StoredType);
            Assert.Equal(Pieces, checkpoint.Config.ImageTokenId);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}

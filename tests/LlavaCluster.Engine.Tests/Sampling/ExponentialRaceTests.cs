using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Tests.Sampling;

public sealed class ExponentialRaceTests
{
    private const int Draws = 200_000;

    [Fact]
    public void Winner_OverManyDraws_IsDistributedAsTheWeights()
    {
        // Over three groups of ids, one of them with a gap.
        int[] ids = [0, 1, 5, 30, 31, 32, 40, 63, 900, 901];
        float[] weights = [0.5f, 0.25f, 1, 0, 0.125f, 0.75f, 0.3f, 0.01f, 0.6f, 0.2f];
        var counts = new int[ids.Length];
        for (var position = 0; position < Draws; position++)
        {
            counts[ExponentialRace.Winner(ids, weights, new NoiseKey(5, 1, position))]++;
        }

        var total = weights.Sum();
        var chiSquare = counts.Zip(weights).Where(pair => pair.Second > 0).Sum(pair => Math.Pow(pair.First - (Draws * pair.Second / total), 2) / (Draws * pair.Second / total));
        Assert.InRange(chiSquare, 0, 26.1); // 8 degrees of freedom, p = 0.001; the draws are the same in every run
        Assert.Equal(0, counts[3]);
    }

    [Fact]
    public void Winner_OfWeightsThatDifferByRounding_IsTheSame()
    {
        int[] ids = [.. Enumerable.Range(0, 4096)];
        float[] weights = [.. ids.Select(id => 0.1f + (0.9f * (float)new NoiseKey(1, 0, id).Uniform()))];
        var different = 0;
        for (var row = 0; row < 200; row++)
        {
            // Another last bit or two in each weight, as another batch's matrix product gives.
            float[] others = [.. weights.Select((weight, id) => weight * (1 + (2e-7f * (float)(new NoiseKey(2, row, id).Uniform() - 0.5))))];
            for (var draw = 0; draw < 100; draw++)
            {
                var noise = new NoiseKey(3, row, draw);
                different += ExponentialRace.Winner(ids, weights, noise) == ExponentialRace.Winner(ids, others, noise) ? 0 : 1;
            }
        }

        Assert.Equal(0, different);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-16)]
    [InlineData(1e-9)]
    [InlineData(0.25)]
    [InlineData(0.5)]
    [InlineData(0.999)]
    [InlineData(1 - 1.1102230246251565e-16)]
    public void Exponential_OfAUniformNumber_IsItsLogarithm(double uniform)
    {
        var expected = uniform < 1e-8 ? uniform + (uniform * uniform / 2) : -Math.Log(1 - uniform);
        Assert.Equal(expected, StableLog.Exponential(uniform), Math.Max(1e-300, Math.Abs(expected) * 1e-14));
    }
}

using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Tests.Sampling;

public sealed class NoiseKeyTests
{
    // Known answers of the Random123 distribution, tests/kat_vectors, philox4x32 with 10 rounds.
    [Theory]
    [InlineData(new uint[] { 0, 0, 0, 0 }, new uint[] { 0, 0 }, new uint[] { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 })]
    [InlineData(
        new uint[] { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
        new uint[] { 0xffffffff, 0xffffffff },
        new uint[] { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd })]
    [InlineData(
        new uint[] { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
        new uint[] { 0xa4093822, 0x299f31d0 },
        new uint[] { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 })]
    public void Generate_ForPublishedVectors_GivesPublishedWords(uint[] counter, uint[] key, uint[] expected)
    {
        var (x0, x1, x2, x3) = Philox4x32.Generate((counter[0], counter[1], counter[2], counter[3]), (key[0], key[1]));
        Assert.Equal(expected, new[] { x0, x1, x2, x3 });
    }

    [Fact]
    public void Uniform_ForTheZeroKey_IsTheFirstWordsOfPhilox() =>
        Assert.Equal((0x6627e8d5e169c58dUL >> 11) / Math.Pow(2, 53), new NoiseKey(0, 0, 0).Uniform());

    [Fact]
    public void Uniform_WhenAnyPartOfTheKeyDiffers_Differs()
    {
        var keys = new NoiseKey[] { new(7, 0, 5), new(8, 0, 5), new(7 + (1L << 32), 0, 5), new(7, 1, 5), new(7, 0, 6), new(-7, 0, 5) };
        Assert.Equal(keys.Length, keys.Select(key => key.Uniform()).Distinct().Count());
    }

    [Fact]
    public void Uniform_OverPositions_FillsTheUnitIntervalEvenly()
    {
        const int Draws = 20_000;
        const int Bins = 20;
        var counts = new int[Bins];
        for (var position = 0; position < Draws; position++)
        {
            counts[(int)(new NoiseKey(42, 3, position).Uniform() * Bins)]++;
        }

        // Chi-squared with 19 degrees of freedom exceeds 43.8 once in a thousand; the draws are fixed.
        var expected = (double)Draws / Bins;
        Assert.True(counts.Sum(count => (count - expected) * (count - expected) / expected) < 43.8);
    }
}

using CsCheck;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Operators;

public sealed class TokenPickerTests
{
    private static readonly TokenBans Bans = new([0, 4], [2, 3]);

    [Theory]
    [InlineData(new[] { 9f, 1, 2, 3, 9, 3, 3 }, false, 3)] // the lowest of equals, nothing reserved
    [InlineData(new[] { 9f, 1, 2, 3, 9, 3, 3 }, true, 5)]
    [InlineData(new[] { 9f, 1, 8, 3, 9, 2, 1 }, true, 5)]
    [InlineData(new[] { float.NaN, 1, 2, 3, float.PositiveInfinity, 3, 3 }, false, 3)]
    [InlineData(new[] { 0, 1, float.NaN, 3, 0, 3, 3 }, true, PickedRow.NotFinite)] // an end that is skipped counts too
    [InlineData(new[] { 0, 1, 2, 3, 0, 3, float.PositiveInfinity }, false, PickedRow.NotFinite)]
    [InlineData(new[] { 0, N, 2, 3, 0, N, N }, true, 3)] // nothing but ends is left
    [InlineData(new[] { 0, N, N, N, 0, N, N }, false, PickedRow.NothingAllowed)]
    [InlineData(new[] { 0, N, N, N, 0, N, N }, true, PickedRow.NothingAllowed)]
    [InlineData(new[] { 0, -0f, -1, -1, 0, 0f, -1 }, false, 1)] // both zeros are equal
    public void Pick_OfARow_IsTheHighestThatMayBe(float[] logits, bool skipsEnds, int expected) => Assert.Equal([expected], Pick([logits], [skipsEnds]));

    [Fact]
    public void Pick_OfManyRows_TakesEachByItself() => Gen.Select(
        Gen.OneOf(Gen.Int[-3, 3].Select(score => (float)score), Gen.OneOf(Gen.Const(float.NaN), Gen.Const(float.PositiveInfinity), Gen.Const(N), Gen.Const(-0f))).Array[7].Array[1, 9], Gen.Bool.Array[9])
        .Sample((rows, ends) =>
        {
            Assert.Equal(rows.Select((row, i) => Pick([row], [ends[i]])[0]), Pick(rows, ends[..rows.Length]));
        });

    [Fact]
    public void Pick_AmongManyEqualOnes_IsTheLowest()
    {
        // Long enough for what a device does in parallel.
        var logits = Enumerable.Repeat(1f, 40_000).ToArray();
        (logits[17_123], logits[17_124], logits[39_999]) = (2, 2, 2);

        Assert.Equal([17_123], Pick([logits], [false]));
    }

    private const float N = float.NegativeInfinity;

    private static int[] Pick(float[][] rows, bool[] skipsEnds)
    {
        using var scope = NewDisposeScope();
        using var picker = new TokenPicker(Bans, CPU);
        var logits = tensor([.. rows.SelectMany(row => row)], [rows.Length, rows[0].Length]);
        var ends = skipsEnds.Contains(true) ? tensor([.. skipsEnds.Select(skips => skips ? 1L : 0L)]) : null;
        return [.. picker.Pick(logits, ends).data<float>().Select(pick => (int)pick)];
    }
}

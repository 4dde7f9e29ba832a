using System.Runtime.Intrinsics;
using CsCheck;
using LlavaCluster.Model.Kernels;

namespace LlavaCluster.Model.Tests.Kernels;

public sealed class ExponentialTests
{
    [Fact]
    public void Of_WhereTheResultIsNormal_IsWithinTwoUnitsInTheLastPlace() =>
        Gen.Float[-87.3f, 88.7f].Array[16].Sample(
            values =>
            {
                var found = Exponential.Of(Vector512.Create(values.AsSpan()));
                for (var i = 0; i < values.Length; i++)
                {
                    var exact = Math.Exp(values[i]);
                    Assert.InRange(Math.Abs(found[i] - exact), 0, 2 * (double)(MathF.BitIncrement((float)exact) - (float)exact));
                }
            },
            iter: 20_000);

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-200f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(89f, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Of_AtTheEnds_IsWhatItTendsTo(float value, float expected) => Assert.Equal(Vector512.Create(expected), Exponential.Of(Vector512.Create(value)));
}

using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;

namespace LlavaCluster.Model.Tests.Kernels;

public sealed unsafe class ActivationKernelsTests
{
    private const int Count = 4096;
    private const float Range = 12;
    private const float Bias = 0.25f;

    // erf by its series, in double: no part of ours.
    private static double Erf(double z)
    {
        var (sum, term) = (z, z);
        for (var n = 1; n < 200; n++)
        {
            term *= -z * z / n;
            sum += term / ((2 * n) + 1);
        }

        return Math.Abs(z) > 5 ? Math.Sign(z) : 2 / Math.Sqrt(Math.PI) * sum;
    }

    private static double Expected(Activation activation, double x) => activation switch
    {
        Activation.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        _ => x / 2 * (1 + Erf(x / Math.Sqrt(2))),
    };

    [Theory]
    [InlineData(Activation.QuickGelu)]
    [InlineData(Activation.Gelu)]
    [InlineData(Activation.Silu)]
    public void Apply_OverItsRange_IsTheFunctionOfTheSum(Activation activation)
    {
        var inputs = Enumerable.Range(0, Count).Select(i => (float)(((2.0 * i / Count) - 1) * Range)).ToArray();
        var outputs = inputs.ToArray();
        var bias = Enumerable.Repeat(Bias, Count).ToArray();
        fixed (float* x = outputs, b = bias)
        {
            ActivationKernels.Apply(activation, x, b, Count);
        }

        Assert.All(inputs.Zip(outputs), pair => Assert.Equal(Expected(activation, pair.First + Bias), pair.Second, 1e-6 * (1 + Math.Abs(pair.First))));
    }
}
